package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// superviseRequest is the input that a supervisor reads from its stdin. It holds the cookie,
// which arguments and the environment would show to other processes.
type superviseRequest struct {
	Spec  orchestrator.Spec `json:"spec"`
	Adopt bool              `json:"adopt"`
}

// child is a supervisor that has not reported yet.
type child struct {
	cmd    *exec.Cmd
	log    string
	report chan []byte // its output on stdout, once that is closed
}

// detach starts a supervisor in the background and waits until it reports.
func (u *up) detach(ctx context.Context, adopt bool) (orchestrator.Status, error) {
	var none orchestrator.Status
	c, err := u.startSupervisor(adopt)
	if err != nil {
		return none, err
	}
	stopWatching := u.watch(ctx, adopt)
	var late <-chan time.Time // a new cluster enforces its own deadline
	if adopt {
		late = time.After(u.spec.Defaulted().ReadyTimeout)
	}
	ready := false
	select {
	case report := <-c.report:
		stopWatching()
		left, err := c.outcome(report)
		u.evidence.left(left)
		if err != nil {
			return none, err
		}
		ready = true
	case <-late:
		stopWatching()
	case <-ctx.Done():
		stopWatching()
		return none, u.giveUp(ctx, c, adopt)
	}
	client, err := control.Dial(ctx, u.spec.Name)
	if err != nil {
		return none, err
	}
	defer client.Close()
	if !ready {
		return none, u.notReady(ctx, client)
	}
	st, err := client.Status(ctx)
	if err != nil {
		return none, err
	}
	if adopt {
		u.say("%s was up without a supervisor: now it has one", u.spec.Name)
	} else {
		u.say("%s is up", u.spec.Name)
	}
	return st, nil
}

// startSupervisor runs `beamyard supervise` in its own session, so that the terminal's Ctrl-C
// and its closing do not reach it.
func (u *up) startSupervisor(adopt bool) (*child, error) {
	request, err := json.Marshal(superviseRequest{Spec: u.spec, Adopt: adopt})
	if err != nil {
		return nil, fmt.Errorf("encode the spec: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	log, err := control.LogFile(u.spec.Name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer write.Close()

	cmd := exec.Command(self, "supervise", u.spec.Name, "--request") //nolint:noctx // it outlives this command on purpose
	cmd.Dir = "/"                                                    // the current folder may go away
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), write, log
	cmd.SysProcAttr = watchdog.OwnSession()
	if u.evidence.dir != "" { // the path may be relative to the current folder
		cmd.Env = append(os.Environ(), exportDir+"="+u.evidence.dir)
	}
	if err := cmd.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	c := &child{cmd: cmd, log: log.Name(), report: make(chan []byte, 1)}
	go func() {
		defer read.Close()
		data, _ := io.ReadAll(read) // after a read error the report is complete or unreadable
		c.report <- data
	}()
	return c, nil
}

// watch draws the supervisor's events, the last ones included, until the returned function is
// called.
func (u *up) watch(ctx context.Context, adopt bool) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		client := u.dialNew(ctx)
		if client == nil {
			return
		}
		defer client.Close()
		var reviving sync.WaitGroup
		if adopt {
			reviving.Go(func() { u.revive(ctx, client) })
		}
		u.draw(ctx, client)
		reviving.Wait()
	})
	return func() {
		cancel()
		wg.Wait()
		u.progress.close()
	}
}

// dialNew waits for a new supervisor's socket. It returns nil if ctx ends first.
func (u *up) dialNew(ctx context.Context) *control.Client {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if client, err := control.Dial(ctx, u.spec.Name); err == nil {
			return client
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// superviseReport is the report that a supervisor writes to its stdout: once the cluster is
// Ready, or with the error that ended it and the path of its evidence.
type superviseReport struct {
	Error    json.RawMessage `json:"error"` // see [control.EncodeError]
	Evidence string          `json:"evidence,omitempty"`
}

func encodeReport(err error, evidence string) []byte {
	data, jsonErr := json.Marshal(superviseReport{Error: control.EncodeError(err), Evidence: evidence})
	if jsonErr != nil { // JSON and a string always encode
		panic(jsonErr)
	}
	return data
}

// outcome decodes a report. Without one the process has crashed, and the end of its log is all
// that is known.
func (c *child) outcome(report []byte) (evidence string, err error) {
	var r superviseReport
	decoded, err := error(nil), json.Unmarshal(report, &r)
	if err == nil {
		decoded, err = control.DecodeError(r.Error)
	}
	if err == nil {
		if decoded == nil {
			return "", c.cmd.Process.Release()
		}
		_ = c.cmd.Wait() // its exit code says less than the report
		if errors.Is(decoded, orchestrator.ErrClusterExists) {
			return r.Evidence, decoded // the log belongs to the supervisor that was faster
		}
		return r.Evidence, errors.Join(decoded, os.Remove(c.log))
	}
	err = c.cmd.Wait()
	said, _ := os.ReadFile(c.log) // without a log, only the exit is reported
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	lines = lines[max(0, len(lines)-20):]
	return "", orchestrator.WithHint(fmt.Errorf("the supervisor exited without reporting an error (%w):\n  %s", noError(err), strings.Join(lines, "\n  ")),
		"its whole log: %s", c.log)
}

// noError replaces the nil error of a process that exited with 0.
func noError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// giveUp takes down what an interrupted `up -d` has started. A cluster that existed before is
// left, with its new supervisor.
func (u *up) giveUp(ctx context.Context, c *child, adopt bool) error {
	if adopt {
		u.say("%s keeps running, and so does its supervisor", u.spec.Name)
		_ = c.cmd.Process.Release() // it is not waited for here
		return errInterrupted
	}
	u.say("stopping %s; Ctrl-C again does not wait for its nodes", u.spec.Name)
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	grace := u.spec.Defaulted().StopTimeout
	go func() {
		select {
		case <-u.second:
			_ = c.cmd.Process.Kill() // fails if it has already exited
		case <-clean.Done():
		}
	}()
	if err := takeDownChild(clean, u.spec.Name, c.cmd.Process.Pid); err != nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // fails if it has already exited
	}
	_ = c.cmd.Wait() // its exit status is expected
	select {
	case <-u.second:
		grace = 0
	default:
	}
	found, err := discovery.Find(clean, u.eng, u.spec.Name)
	if err == nil && found.Owner.PID != c.cmd.Process.Pid {
		u.say("another `up` created %s: it keeps running", u.spec.Name)
		return errInterrupted
	}
	if err == nil {
		_, err = discovery.Remove(clean, u.eng, u.spec.Name, grace)
	}
	if err != nil && !errors.Is(err, orchestrator.ErrNoCluster) {
		return err
	}
	u.say("%s is down", u.spec.Name)
	return errInterrupted
}

// takeDownChild makes our child, the supervisor, take down its cluster. If two `up` commands
// use the same name, the other one may have won: its cluster must not be removed.
func takeDownChild(ctx context.Context, name string, pid int) error {
	client, err := control.Dial(ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := client.Supervisor(ctx)
	if err != nil {
		return err
	}
	if s.PID != pid {
		return fmt.Errorf("%w: process %d supervises %s", control.ErrSupervised, s.PID, name)
	}
	return client.Down(ctx)
}
