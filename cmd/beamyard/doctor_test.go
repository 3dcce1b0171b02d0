package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/doctor"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

func TestPrintReport(t *testing.T) {
	checks := []doctor.Check{
		{Code: "engine", Title: "engine", State: doctor.OK, Text: "Docker 28"},
		{Code: "ports", Title: "host ports", State: doctor.Warning, Text: "few", Remedy: "ss -ltnp\nor choose others"},
		{Code: "clock", Title: "clock", State: doctor.Unknown, Text: "untold"},
	}
	for _, tt := range []struct {
		report doctor.Report
		want   string
	}{
		{doctor.Report{Checks: checks, Usable: true}, `✓ engine      Docker 28
! host ports  few
              → ss -ltnp
              → or choose others
? clock       untold

usable, 1 warning, 1 unknown: beamyard up
`},
		{doctor.Report{Checks: checks[:1], Usable: true}, "✓ engine  Docker 28\n\nready: beamyard up\n"},
		{doctor.Report{Usable: true, Checks: []doctor.Check{
			{Title: "disk", State: doctor.Failed, Text: "full", Remedy: "docker image prune"}, checks[1], checks[1],
		}}, `✗ disk        full
              → docker image prune
! host ports  few
              → ss -ltnp
              → or choose others
! host ports  few
              → ss -ltnp
              → or choose others

not ready: 1 failure, 2 warnings; fix what is marked ✗ first
`},
		// The error is printed last, on stderr.
		{doctor.Report{Checks: []doctor.Check{{Title: "engine", State: doctor.Failed, Text: "none", Remedy: "start it"}}}, "✗ engine  none\n          → start it\n"},
	} {
		var b bytes.Buffer
		if err := printReport(&b, func(string) string { return "" }, 0, tt.report); err != nil {
			t.Fatal(err)
		}
		if b.String() != tt.want {
			t.Errorf("got\n%swant\n%s", b.String(), tt.want)
		}
	}
	var b bytes.Buffer
	if err := printReport(&b, func(code string) string { return "<" + code + ">" }, 0, doctor.Report{Checks: checks[:2]}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "<32>✓<0> engine      Docker 28\n<33>!<0> host ports  few\n") {
		t.Errorf("colours: %s", b.String())
	}
	b.Reset()
	long := doctor.Check{Title: "disk", State: doctor.Warning, Text: "one two three four five six seven", Remedy: "eight nine ten eleven twelve thirteen"}
	if err := printReport(&b, func(string) string { return "" }, 30, doctor.Report{Checks: []doctor.Check{long}}); err != nil {
		t.Fatal(err)
	}
	const want = `! disk  one two three four
        five six seven
        → eight nine ten eleven twelve thirteen
`
	if b.String() != want {
		t.Errorf("on a narrow terminal\n%swant\n%s", b.String(), want)
	}
}

// publicBeamyard returns this program in a folder where every user can run it.
func publicBeamyard(t *testing.T) (folder, program string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "beamyard-doctor-*") //nolint:usetesting // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(folder, "beamyard")
	// cp, because a program cannot be run while it is open for writing, and a child that another
	// test starts would have it open for a moment, if this process wrote it (golang/go#22315).
	if err := errors.Join(os.Chmod(folder, 0o755), exec.Command("cp", self, program).Run()); err != nil {
		t.Fatal(err)
	}
	return folder, program
}

// An engine with each kind of problem: exit code 5, the problem, and what to type.
func TestDoctorOnABrokenEngine(t *testing.T) {
	t.Parallel()
	folder, program := publicBeamyard(t)
	closedSocket := filepath.Join(folder, "docker.sock")
	socket, err := net.Listen("unix", closedSocket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	// Root can use every socket, so another user must try. Users other than root are
	// refused by the mode, even by their own sockets.
	var stranger *syscall.Credential
	who := "the user "
	if os.Getuid() == 0 {
		stranger, who = &syscall.Credential{Uid: 65534, Gid: 65534}, "the user nobody"
	}
	if err := os.Chmod(closedSocket, 0); err != nil {
		t.Fatal(err)
	}
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "tcp://" + deaf.Addr().String()
	deaf.Close()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.40")
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ServerVersion":"19.03.15"}`)
	}))
	t.Cleanup(old.Close)
	oldHost := "tcp://" + strings.TrimPrefix(old.URL, "http://")
	for _, tt := range []struct {
		name, host   string
		as           *syscall.Credential
		text, remedy string
	}{
		{"no socket", "unix://" + folder + "/none.sock", nil, "there is no socket at unix://" + folder + "/none.sock (of DOCKER_HOST)", "unset DOCKER_HOST"},
		{"no permission", "unix://" + closedSocket, stranger, who + " may not use unix://" + closedSocket, "sudo"},
		{"an old API", oldHost, nil, "Docker 19.03.15, API 1.40, at " + oldHost + " (of DOCKER_HOST) is too old: API 1.41 is needed", "upgrade the engine to Docker 20.10 or newer"},
		{"nothing listens", refused, nil, "nothing listens at " + refused + " (of DOCKER_HOST)", "curl " + strings.TrimPrefix(refused, "tcp://") + "/_ping"},
		{"nonsense", "nonsense", nil, "unable to parse docker host", "DOCKER_HOST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run := func(args ...string) (stdout, stderr string, code int) {
				cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
				cmd.Env = []string{"DOCKER_HOST=" + tt.host, "HOME=" + folder, "PATH=" + os.Getenv("PATH")}
				cmd.Dir = "/"
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: tt.as}
				var out, errs bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &errs
				var exit *exec.ExitError
				if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				return out.String(), errs.String(), cmd.ProcessState.ExitCode()
			}
			stdout, stderr, code := run("doctor")
			if code != exitUnsupported {
				t.Errorf("exit code %d", code)
			}
			first, rest, _ := strings.Cut(stdout, "\n")
			if !strings.HasPrefix(first, "✗ engine ") || !strings.Contains(first, tt.text) {
				t.Errorf("the check is %q, want %q", first, tt.text)
			}
			remedies, _, _ := strings.Cut(rest, "?")
			if !strings.Contains(remedies, "→ ") || !strings.Contains(remedies, tt.remedy) {
				t.Errorf("the remedy is %q, want %q", remedies, tt.remedy)
			}
			if !strings.HasPrefix(stderr, "error: nothing can run here: ") || !strings.Contains(stderr, tt.text) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("the error is %q", stderr)
			}
			stdout, _, code = run("doctor", "--json")
			var report doctor.Report
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.Usable || code != exitUnsupported {
				t.Fatalf("exit code %d, %v:\n%s", code, err, stdout)
			}
			if c := report.Checks[0]; c.Code != "engine" || c.State != doctor.Failed || !strings.Contains(c.Text, tt.text) || !strings.Contains(c.Remedy, tt.remedy) {
				t.Errorf("%+v", c)
			}
			if report.Count(doctor.Unknown) != 1 {
				t.Errorf("what could not be checked is not reported exactly once: %s", stdout)
			}
		})
	}
}

// forgetProbe removes the image that doctor built from this test's program. Unlike a
// user's image, it is never used again. It uses the unix socket directly, because only
// one package may use the Docker client.
func forgetProbe() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ref, err := enginetest.HelperImage(self)
	if err != nil {
		return err
	}
	network, address := engineSocket()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	request, err := http.NewRequest(http.MethodDelete, "http://engine/images/"+ref+"?force=1", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		return fmt.Errorf("remove %s: %s", request.URL, response.Status)
	}
	return nil
}
