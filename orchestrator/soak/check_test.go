//go:build soak

package soak

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

// readyTime is the longest time that a cluster without faults may need to be ready. A
// node that has just exited boots in 2 s here, and a dial to a node that is away takes 7
// s.
const readyTime = 60 * time.Second

// settle waits until all nodes are well, and then measures the supervisor.
func (r *rig) settle(ctx context.Context) error {
	begin := time.Now()
	r.revive(ctx)
	waiting, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	var err error
	if !within(waiting, readyTime, func() bool {
		err = r.ask(waiting, func(ctx context.Context, c *control.Client) error { return c.WaitReady(ctx) })
		return err == nil
	}) {
		err = fmt.Errorf("quiet for %s: want every node Ready, got %w", time.Since(begin).Round(time.Second), err)
		_ = r.ask(ctx, func(ctx context.Context, c *control.Client) error { // for the report
			st, failed := c.Status(ctx)
			for _, n := range st.Nodes {
				err = fmt.Errorf("%w\n  %s %s (%s), sees %v", err, n.Name, n.State, n.Reason, n.Peers)
				if n.State != orchestrator.Ready {
					err = fmt.Errorf("%w; its container is %s", err, r.engineSays(ctx, n.Name, begin.Add(-30*time.Second)))
					// It is reported by now, and the next steps need a healthy cluster.
					r.note("restart %s: %v", n.Name, c.Restart(ctx, n.Name))
				}
			}
			return failed
		})
		return err
	}
	r.note("settled in %s", time.Since(begin).Round(time.Millisecond))
	return errors.Join(r.unbroken(ctx), r.measure(ctx))
}

// unbroken checks that every fault that was injected has ended. One that ends by itself is
// listed for a moment more.
func (r *rig) unbroken(ctx context.Context) error {
	listed, err := "", error(nil)
	if within(ctx, 20*time.Second, func() bool {
		listed, err = r.beamyard(ctx, "faults", "--json", "--cluster", r.cluster)
		return err == nil && strings.TrimSpace(listed) == "[]"
	}) {
		return nil
	}
	_ = r.heal(ctx) // it is reported, and must not hide later failures
	return errors.Join(fmt.Errorf("every fault is over: want none in force, got %s", listed), err)
}

// revive starts nodes that failed permanently: they are reported already, and must not
// hide later failures.
func (r *rig) revive(ctx context.Context) {
	for _, node := range nodes {
		if n, _ := r.status(ctx, node); n.State == orchestrator.Failed {
			err := r.retry(ctx, time.Now(), func() error { return r.command(ctx, "start", node) })
			r.note("start %s, which failed: %v", node, err)
		}
	}
}

// engineSays returns the state of a container, and the engine's events of it since then:
// the evidence of a violation.
func (r *rig) engineSays(ctx context.Context, node string, since time.Time) string {
	in, err := r.docker.ContainerInspect(ctx, r.container(node))
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("%s, started %s, finished %s, OOMKilled %v", in.State.Status, in.State.StartedAt, in.State.FinishedAt, in.State.OOMKilled)
	told, errs := r.docker.Events(ctx, events.ListOptions{
		Since: strconv.FormatInt(since.Unix(), 10), Until: strconv.FormatInt(time.Now().Unix()+1, 10),
		Filters: filters.NewArgs(filters.Arg("container", in.ID)),
	})
	for {
		select {
		case m := <-told:
			text += fmt.Sprintf("\n    engine: %s %s %s%s", time.Unix(0, m.TimeNano).Format("15:04:05.000"), m.Action, m.Actor.Attributes["signal"], m.Actor.Attributes["exitCode"])
		case <-errs: // at the end of the events that are kept
			return text
		}
	}
}

// usage is what a supervisor has open at a quiet moment.
type usage struct{ files, clients, goroutines int }

// own counts the files that are not connections to the engine. Up to 16 idle connections
// are kept, so their number means nothing.
func (u usage) own() int { return u.files - u.clients }

// working counts the goroutines that serve no connection to the engine. Each connection
// has two in net/http.
func (u usage) working() int { return u.goroutines - 2*u.clients }

const (
	// One of our calls may be in progress, with a connection to the socket, and a probe
	// may be dialling a node again.
	fileSlack = 4
	// The same in goroutines, including those of the server that answers us.
	goroutineSlack = 12
	// One stream of events, one of lines for each node, 16 idle connections, and calls in
	// progress.
	maxClients = 1 + 5 + 16 + 4
)

// measure compares a supervisor with its first quiet moment.
func (r *rig) measure(ctx context.Context) error {
	pid := r.supervisor(ctx)
	now, ok := usage{}, false
	// Connections that were busy because of the last fault become idle within moments.
	within(ctx, 15*time.Second, func() bool {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		now = usage{files: len(entries), clients: r.proxy.Clients()}
		asked := r.ask(ctx, func(ctx context.Context, c *control.Client) error {
			s, err := c.Supervisor(ctx)
			now.goroutines = s.Goroutines
			return err
		})
		first, seen := r.first[pid]
		ok = err == nil && asked == nil && now.clients <= maxClients &&
			(!seen || now.own() <= first.own()+fileSlack && now.working() <= first.working()+goroutineSlack)
		return ok
	})
	first, seen := r.first[pid]
	if !seen {
		r.first[pid], first = now, now
	}
	r.note("supervisor %d: %d files, %d of them to the engine, %d goroutines; at first %d, %d and %d; %d MB resident",
		pid, now.files, now.clients, now.goroutines, first.files, first.clients, first.goroutines, r.peak(pid)>>20)
	if !ok {
		return fmt.Errorf("supervisor %d: want at most %d files (%d at its first quiet moment), %d goroutines (%d) and %d connections to the engine, got %d, %d and %d",
			pid, first.own()+fileSlack, first.own(), first.working()+goroutineSlack, first.working(), maxClients, now.own(), now.working(), now.clients)
	}
	return nil
}

// peak returns the most memory that the process ever had resident (VmHWM of
// proc_pid_status(5)). The largest peak is reported at the end.
func (r *rig) peak(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // 0: it has ended
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, _ := strconv.ParseInt(number, 10, 64)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peakRSS = max(r.peakRSS, kb<<10)
	return kb << 10
}

// stopAll stops the nodes, so that their output is complete.
func (r *rig) stopAll(ctx context.Context) {
	if err := r.ask(ctx, func(ctx context.Context, c *control.Client) error { return c.Stop(ctx, nodes...) }); err != nil {
		r.violation("stop %v: %v", nodes, err)
	}
}

// compareOutput compares the collected lines with the engine's own log.
func (r *rig) compareOutput(ctx context.Context, c *collector) (total, runs int) {
	for _, node := range nodes {
		body, err := r.docker.ContainerLogs(ctx, r.container(node), container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err != nil {
			r.violation("read the engine's log of %s: %v", node, err)
			continue
		}
		kept, err := keptOf(body)
		body.Close()
		if err != nil {
			r.violation("read the engine's log of %s: %v", node, err)
		}
		for _, name := range []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr} {
			want := kept[name]
			key := stream{node, name}
			for have := -1; have < c.count(key); { // as long as it gets further: a supervisor reads from the first line on
				have = c.count(key)
				within(ctx, 20*time.Second, func() bool { return c.count(key) >= len(want) })
			}
			c.mu.Lock()
			got := c.lines[key]
			c.mu.Unlock()
			r.compareStream(key, got, want)
			total += len(want)
			if n := r.gapless(key, want); name == orchestrator.Stdout {
				runs += n
			}
		}
	}
	return total, runs
}

// keptOf returns the lines of an engine's log: frames with a header of 8 bytes, as the reference of
// the engine's API says at POST /containers/{id}/attach. A frame is an entry of the log. A line of
// more than 16 KiB has several. A VM that dies can leave a line without an end, which the first line
// of its next run does not belong to.
func keptOf(log io.Reader) (map[orchestrator.Stream][]string, error) {
	const most = 16 << 10 // in one entry
	names := map[byte]orchestrator.Stream{1: orchestrator.Stdout, 2: orchestrator.Stderr}
	lines, begun := map[orchestrator.Stream][]string{}, map[orchestrator.Stream]string{}
	for in := bufio.NewReader(log); ; {
		var header [8]byte
		if _, err := io.ReadFull(in, header[:]); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return lines, err
		}
		entry := make([]byte, binary.BigEndian.Uint32(header[4:]))
		if _, err := io.ReadFull(in, entry); err != nil {
			return lines, err
		}
		name, known := names[header[0]]
		if !known {
			return lines, fmt.Errorf("a frame of stream %d: %s", header[0], entry)
		}
		text, ended := strings.CutSuffix(begun[name]+string(entry), "\n")
		if begun[name] = text; ended || len(entry) < most {
			lines[name], begun[name] = append(lines[name], strings.TrimSuffix(text, "\r")), "" // a line ends in "\n" or "\r\n": the VM writes both
		}
	}
}

func (r *rig) compareStream(key stream, got, want []string) {
	at := func(lines []string, i int) string {
		if i < len(lines) {
			return strconv.Quote(lines[i])
		}
		return "nothing"
	}
	for i := range max(len(got), len(want)) {
		if at(got, i) != at(want, i) {
			r.violation("%s %s: want the engine's %d lines, got %d; line %d is %s there, and was delivered as %s",
				key.node, key.name, len(want), len(got), i+1, at(want, i), at(got, i))
			return
		}
	}
	if len(want) == 0 {
		r.violation("%s %s: it printed nothing", key.node, key.name)
	}
}

// gapless checks that the printer's numbers of a stream count from 1 in each run, and
// returns the number of runs that printed.
func (r *rig) gapless(key stream, lines []string) (runs int) {
	run, last := "", 0
	for i, line := range lines {
		this, k, ok := printed(line)
		if !ok {
			continue // a line of the VM
		}
		if this != run {
			run, last = this, 0
			runs++
		}
		if k != last+1 {
			r.violation("%s %s: line %d of the engine's log is %q: want number %d of its run", key.node, key.name, i+1, line, last+1)
			return runs
		}
		last = k
	}
	return runs
}

// down removes the cluster and checks that nothing is left.
func (r *rig) down(ctx context.Context) {
	if _, err := r.beamyard(ctx, "down", r.cluster); err != nil {
		r.violation("%v", err)
	}
	label := filters.NewArgs(filters.Arg("label", orchestrator.LabelCluster+"="+r.cluster))
	containers, err := r.docker.ContainerList(ctx, container.ListOptions{All: true, Filters: label})
	if err != nil || len(containers) > 0 {
		r.violation("after down: want no container, got %d (%v)", len(containers), err)
	}
	networks, err := r.docker.NetworkList(ctx, network.ListOptions{Filters: label})
	if err != nil || len(networks) > 0 {
		r.violation("after down: want no network, got %d (%v)", len(networks), err)
	}
	if !within(ctx, 10*time.Second, func() bool { return len(r.ours()) == 0 }) {
		r.violation("after down: want no process of ours, got %v", r.ours())
	}
}
