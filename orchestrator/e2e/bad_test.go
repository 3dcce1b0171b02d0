package e2e_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// Each bad input on the real engine: the error says what failed and why, its hint says
// what to type, and nothing is left behind (the cleanup of run checks this).

// fails runs a cluster that must fail, and returns the error.
func fails(t *testing.T, nodes int, edit func(*orchestrator.Spec)) error {
	t.Helper()
	r := run(t, engine(t), "trixie", nodes, edit)
	err := r.end()
	if err == nil {
		t.Fatal("the cluster became ready")
	}
	return err
}

// says checks the text of an error and of its hint.
func says(t *testing.T, err error, hint string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q:\n%v", w, err)
		}
	}
	if got := orchestrator.HintOf(err).String(); got == "" || !strings.Contains(got, hint) {
		t.Errorf("the hint does not say %q: %s", hint, got)
	}
}

func TestAnApplicationThatCrashesAtBoot(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			err := fails(t, 2, func(s *orchestrator.Spec) { s.Source, s.BaseImage = "testdata/crashing", otp.base })
			if !errors.Is(err, orchestrator.ErrNodeFailed) {
				t.Errorf("not ErrNodeFailed: %v", err)
			}
			says(t, err, "docker run --rm -it --entrypoint sh beamyard/crashing:", "failed to boot twice", "the database is not configured")
		})
	}
}

func TestAProjectThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			err := fails(t, 1, func(s *orchestrator.Spec) { s.Source, s.BaseImage = "testdata/broken", otp.base })
			var build *images.BuildError
			if !errors.As(err, &build) {
				t.Errorf("not a BuildError: %v", err)
			}
			says(t, err, "mix compile", "undefined_variable", "lib/broken.ex:3")
		})
	}
}

func TestAnImageWithoutElixir(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	ref := fmt.Sprintf("beamyard-test/bare:%08x", rand.Uint32())
	var rootfs bytes.Buffer
	w := tar.NewWriter(&rootfs)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "tmp/", Mode: 0o777, Typeflag: tar.TypeDir}), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Import(t.Context(), &rootfs, images.Import{Ref: ref}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, ref) })
	err := fails(t, 2, func(s *orchestrator.Spec) { s.Source, s.BaseImage = ref, "" })
	if !errors.Is(err, orchestrator.ErrNodeFailed) {
		t.Errorf("not ErrNodeFailed: %v", err)
	}
	says(t, err, "command:", "elixir", "No such file or directory")
}

func TestAMissingImage(t *testing.T) {
	t.Parallel()
	err := fails(t, 1, func(s *orchestrator.Spec) { s.Source, s.BaseImage = "no-such/image:1", "" })
	says(t, err, "check the name", "no-such/image:1")
	refusedAs(t, err, "no-registry", "no-such/image:1")
}

func TestATakenPort(t *testing.T) {
	t.Parallel()
	enginetest.NeedsLocalEngine(t, "a process of this machine has the port")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	err = fails(t, 1, func(s *orchestrator.Spec) { s.Nodes[0].HostPort = port })
	var taken *network.PortTakenError
	if !errors.As(err, &taken) {
		t.Errorf("not a PortTakenError: %v", err)
	}
	says(t, err, strconv.Itoa(port), "n1", strconv.Itoa(port), "e2e.test") // this test process holds it
	refusedAs(t, err, "port-taken", "e2e.test", strconv.Itoa(port))
}

func portOfAnotherCluster(t *testing.T, r *running) {
	port := r.node("n1").HTTPPort
	err := fails(t, 1, func(s *orchestrator.Spec) { s.Nodes[0].HostPort = port })
	says(t, err, strconv.Itoa(port), r.node("n1").Container)
}

func fullAddressPool(t *testing.T, r *running) {
	pool := r.Spec().Pool
	if st, _ := r.Status(t.Context()); st.Subnet != pool {
		t.Fatalf("subnet %s", st.Subnet)
	}
	err := fails(t, 1, func(s *orchestrator.Spec) { s.Pool = pool })
	says(t, err, "pool:", pool.String())
	refusedAs(t, err, "address-pool-exhausted", "beamyard down "+r.name)
}

func clusterThatExists(t *testing.T, r *running) {
	c, err := cluster.New(r.Spec(), engine(t), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Run(t.Context())
	if !errors.Is(err, orchestrator.ErrClusterExists) {
		t.Errorf("not ErrClusterExists: %v", err)
	}
	says(t, err, "beamyard down "+r.name, r.name)
	if st, _ := r.Status(t.Context()); !st.Ready {
		t.Error("the first cluster was affected")
	}
}

// The cookie is not in any error, event, status or line, even if a node prints it.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const cookie = "a_secret_cookie_that_nobody_sees"
	r := run(t, engine(t), "trixie", 1, func(s *orchestrator.Spec) {
		s.Cookie, s.HTTPCheck, s.ReadyTimeout = cookie, "", 20e9
		s.Command = []string{"sh", "-c", "echo the cookie is $ERLANG_COOKIE >&2; exit 1"}
	})
	err := r.end()
	if err == nil || strings.Contains(err.Error(), cookie) || !strings.Contains(err.Error(), "[secret]") {
		t.Errorf("the error: %v", err)
	}
	if h := r.history(); strings.Contains(h, cookie) {
		t.Errorf("the events:\n%s", h)
	}
	st, _ := r.Status(t.Context())
	if text := fmt.Sprintf("%+v", st); strings.Contains(text, cookie) {
		t.Errorf("the status: %s", text)
	}
}
