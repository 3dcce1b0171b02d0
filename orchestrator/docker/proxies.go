package docker

import (
	"bytes"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/docker/cli/cli/config"
)

// proxies returns the variables that the docker command's configuration sets for the containers
// and builds of an engine, or of all: HTTP_PROXY, http_proxy, and so on.
// Source: https://docs.docker.com/engine/cli/proxy/.
func proxies(host string) map[string]string {
	file, err := config.Load(config.Dir())
	if err != nil {
		return nil // as for the context: the docker command reports the error
	}
	found := map[string]string{}
	for key, value := range file.ParseProxyConfig(host, nil) {
		if value != nil && *value != "" {
			found[key] = *value
		}
	}
	return found
}

// withProxies adds to an environment the proxies that it does not set itself, in either case.
func withProxies(env []string, proxies map[string]string) []string {
	with := slices.Clone(env)
	for _, key := range slices.Sorted(maps.Keys(proxies)) {
		if !slices.ContainsFunc(env, func(e string) bool {
			name, _, _ := strings.Cut(e, "=")
			return strings.EqualFold(name, key)
		}) {
			with = append(with, key+"="+proxies[key])
		}
	}
	return with
}

// masked passes text on, line by line, without the credentials of proxies: a step of a build
// may print its environment.
type masked struct {
	w       io.Writer
	secrets *strings.Replacer
	rest    []byte
}

func newMasked(w io.Writer, proxies map[string]string) *masked {
	return &masked{w: w, secrets: proxySecrets(proxies)}
}

// proxySecrets removes the credentials in proxies' addresses from a text.
func proxySecrets(proxies map[string]string) *strings.Replacer {
	var pairs []string
	var users []string
	for _, address := range proxies {
		_, rest, found := strings.Cut(address, "://")
		if !found {
			rest = address
		}
		rest, _, _ = strings.Cut(rest, "/")
		if at := strings.LastIndex(rest, "@"); at > 0 && !slices.Contains(users, rest[:at]) {
			users = append(users, rest[:at])
		}
	}
	slices.Sort(users)
	for _, user := range users {
		pairs = append(pairs, user+"@", "[secret]@")
		_, password, _ := strings.Cut(user, ":")
		forms := []string{password}
		if plain, err := url.PathUnescape(password); err == nil {
			forms = append(forms, plain)
		}
		for _, form := range forms {
			if len(form) >= 4 { // replacing a shorter one would garble the rest
				pairs = append(pairs, form, "[secret]")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

func (m *masked) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	if end := bytes.LastIndexByte(m.rest, '\n') + 1; end > 0 {
		text := m.secrets.Replace(string(m.rest[:end]))
		m.rest = append([]byte(nil), m.rest[end:]...)
		if _, err := io.WriteString(m.w, text); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush writes an incomplete last line.
func (m *masked) flush() {
	if len(m.rest) > 0 {
		_, _ = io.WriteString(m.w, m.secrets.Replace(string(m.rest))) // its reader may be gone
		m.rest = nil
	}
}
