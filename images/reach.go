package images

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
)

// Bases returns the references that the base "auto" looks for on the engine, in that
// order. If the engine has none of them, the first is pulled. The last is made from
// packages.
func Bases() []string {
	return []string{officialBase, debianRef(Source{Kind: Debian, Suite: defaultSuite})}
}

// CheckDebian reports, as a [*PackagesError], why a base could not be made from Debian
// packages on this machine: mmdebstrap is missing, or the mirror that this machine's apt
// uses does not answer. mirror is the mirror that was tried. CheckDebian makes no base.
func CheckDebian(ctx context.Context) (mirror string, err error) {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return "", &PackagesError{defaultSuite, "mmdebstrap is not installed", installMmdebstrap(), err}
	}
	if mirror = hostMirror(ctx); mirror == "" {
		mirror = "http://deb.debian.org/debian" // mmdebstrap's own
	}
	if !strings.HasPrefix(mirror, "http://") && !strings.HasPrefix(mirror, "https://") {
		return redacted(mirror), nil // of apt's other methods: only apt can check it
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, mirror+"/dists/"+defaultSuite+"/InRelease", nil)
	if err == nil {
		var response *http.Response
		if response, err = mirrorClient(ctx).Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s: %s", request.URL.Redacted(), response.Status)
			}
		}
	}
	if err != nil {
		return redacted(mirror), &PackagesError{defaultSuite, err.Error(), "check that this machine reaches a Debian mirror: sudo apt-get update", err}
	}
	return redacted(mirror), nil
}

// redacted removes a password from an address: apt's may contain one.
func redacted(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return address
}

// mirrorClient uses the proxies that mmdebstrap gets.
func mirrorClient(ctx context.Context) *http.Client {
	proxies := map[string]string{}
	for _, setting := range hostProxies(ctx) {
		key, proxy, _ := strings.Cut(setting, "=")
		proxies[strings.TrimSuffix(key, "_proxy")] = proxy
	}
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // one request
		Proxy: func(r *http.Request) (*url.URL, error) {
			if proxy := proxies[r.URL.Scheme]; proxy != "" {
				return url.Parse(proxy)
			}
			return http.ProxyFromEnvironment(r)
		},
	}}
}

// installMmdebstrap is the advice if mmdebstrap is missing.
func installMmdebstrap() string {
	if runtime.GOOS != "linux" {
		return "connect the engine to a registry, or give a base image that it has: --base IMAGE"
	}
	return "sudo apt-get install -y mmdebstrap debian-archive-keyring"
}
