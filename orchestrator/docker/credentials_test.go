package docker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli/config"

	"github.com/beamyard/beamyard/orchestrator"
)

// shown returns all texts that can be printed about the engine at an address.
func shown(t *testing.T, o Options) string {
	t.Helper()
	var all strings.Builder
	note := func(err error) {
		if err == nil {
			t.Errorf("%+v: no error", o)
			return
		}
		all.WriteString(err.Error() + "\n")
		all.WriteString(orchestrator.HintOf(err).String() + "\n")
	}
	e, err := New(o)
	if err != nil {
		note(err)
		return all.String()
	}
	defer e.Close()
	info, err := e.Info(t.Context())
	note(err)
	all.WriteString(info.Endpoint + " " + info.Host + "\n")
	_, err = e.Containers(t.Context(), nil)
	note(err)
	for _, since := range []time.Time{{}, time.Now()} {
		err, _ := listen(t, e, since)
		note(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.Networks(gone, nil)
	note(err)
	return all.String()
}

// Whatever is wrong with an address, its user and password are not printed, nor any part
// of them that a parser quotes.
func TestCredentialsAreNotPrinted(t *testing.T) {
	for _, host := range []string{
		"tcp://zoe:hunter2@127.0.0.1:1", "http://zoe:hunter2@127.0.0.1:1", "https://zoe:hunter2@127.0.0.1:1", "foo://zoe:hunter2@engine.invalid:1",
		"zoe:hunter2@127.0.0.1:1", "hunter2@engine.invalid", "ssh://zoe:hunter2@127.0.0.1", "ssh://zoe:hunter2@[::1",
		"tcp://zoe:hunter2 x@127.0.0.1:1", "tcp://zoe:hunter2/x@127.0.0.1:1", "tcp://zoe:hunter2#x@127.0.0.1:1", "tcp://zoe:hunter2%zz@127.0.0.1:1",
		"tcp://zoe:hunter2%41@127.0.0.1:1", "http://zoe:hunter2<x@127.0.0.1:1", "http://zoe:hunter2\"x@127.0.0.1:1", "tcp://zoe:x@hunter2@127.0.0.1:1",
	} {
		if said := shown(t, Options{Host: host}); strings.Contains(said, "hunter2") || strings.Contains(said, "zoe") {
			t.Errorf("%s:\n%s", host, said)
		}
	}
	// The faulty part of a malformed address is not quoted.
	if said := shown(t, Options{Host: "tcp://zoe:42/hunter2@127.0.0.1:1"}); strings.Contains(said, "42") {
		t.Error(said)
	}
}

func TestCredentialsOfAContextAreNotPrinted(t *testing.T) {
	for _, host := range []string{"tcp://zoe:hunter2@127.0.0.1:1", "http://zoe:hunter2@127.0.0.1:1", "tcp://zoe:hunter2 x@127.0.0.1:1", "ssh://zoe:hunter2@127.0.0.1"} {
		dir := t.TempDir()
		writeContext(t, dir, "lab", host)
		before := config.Dir()
		config.SetDir(dir)
		said := shown(t, Options{Context: "lab"})
		config.SetDir(before)
		if strings.Contains(said, "hunter2") || strings.Contains(said, "zoe") || !strings.Contains(said, "127.0.0.1") {
			t.Errorf("%s:\n%s", host, said)
		}
	}
}

// The path of a socket is not a credential. An address without credentials is not
// changed.
func TestAddressesWithoutCredentials(t *testing.T) {
	for _, host := range []string{"unix:///run/a@b.sock", "npipe:////./pipe/a@b", "tcp://127.0.0.1:2375", "ssh://lab"} {
		if clean, user := splitUser(host); clean != host || user != "" {
			t.Errorf("%s: %s, %s", host, clean, user)
		}
	}
	plain := errors.New("something at 127.0.0.1")
	if errors.As(discreet(plain, "zoe:hunter2"), new(*discreetError)) || discreet(nil, "zoe:hunter2") != nil {
		t.Error("an error without credentials was changed")
	}
}
