package testsupport_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/testsupport"
)

// What the engine says can be late: nodes see a death before the supervisor hears of
// it, and such a node is refused though it is Ready.

// lateEngine has all that this process asks the engine answered only while the lock
// is not held. It is for a test binary of its own: the address is the environment's.
func lateEngine(t *testing.T) *sync.RWMutex {
	t.Helper()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	info, err := eng.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	network, address, _ := strings.Cut(info.Endpoint, "://")
	at := "127.0.0.1:0"
	if network == "unix" {
		at = filepath.Join(t.TempDir(), "docker.sock")
	} else {
		t.Setenv("BEAMYARD_HOST", info.Host) // ports are published there
	}
	listener, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_HOST", network+"://"+listener.Addr().String())
	var held sync.RWMutex
	go func() { // to the process's end, as its watchdog's way is this one, too
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			engine, err := net.Dial(network, address)
			if err != nil {
				client.Close()
				continue
			}
			go pass(client, engine, &sync.RWMutex{})
			go pass(engine, client, &held)
		}
	}()
	return &held
}

func pass(from, to net.Conn, held *sync.RWMutex) {
	defer to.Close()
	for buffer := make([]byte, 32<<10); ; {
		n, err := from.Read(buffer)
		held.RLock()
		_, failed := to.Write(buffer[:n])
		held.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}

// hearsLate is a victim's test.
func hearsLate(t *testing.T) {
	held := lateEngine(t)
	c := testsupport.Start(t, demo, testsupport.WithNodes(2))
	held.Lock()
	if _, err := testsupport.RPC[any](t.Context(), c.Node("n2"), "erlang", "halt"); err == nil {
		t.Error("it answers after halt")
	}
	if err := c.WaitDown(t.Context(), "n1", "n2"); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := c.WaitMesh(short)
	if state := c.Node("n2").Status().State; state.Final() || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "have not met") {
		t.Errorf("n2 is %s, unheard: %v", state, err)
	}
	held.Unlock()
	if err := c.WaitMesh(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADeathThatIsHeardLate(t *testing.T) {
	t.Parallel()
	if code, said := startVictim(t, "hears late", nil).ended(); code != 0 || !strings.Contains(said, "--- PASS") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}
