//go:build bench

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/orchestrator"
)

// The benchmark measures pairs side by side in one run. Machines are noisy, so ratios and
// medians count. It is not a test of speed: it prints, and fails only if something does
// not work.

// floor does by hand what every cluster needs: a network, containers of the same image
// and settings, and a distribution port that answers. It uses the bare client, with as
// much parallelism as the engine gains from.
type floor struct {
	cli     *client.Client
	network string
	ids     []string
}

// template inspects a real node's container, whose settings the floor copies.
func template(t *testing.T, cli *client.Client, id string) container.InspectResponse {
	t.Helper()
	in, err := cli.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func raise(t *testing.T, cli *client.Client, in container.InspectResponse, n int) (*floor, time.Duration) {
	t.Helper()
	ctx := t.Context()
	began := time.Now()
	f := &floor{cli: cli}
	created, err := cli.NetworkCreate(ctx, "beamyard-bench-floor", network.CreateOptions{
		Driver: "bridge",
		IPAM:   &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.214.0.0/24", Gateway: "10.214.0.1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.network = created.ID
	f.ids = make([]string, n)
	var group errgroup.Group
	slots := make(chan struct{}, 4)
	for i := range n {
		group.Go(func() error {
			host := fmt.Sprintf("f%d.floor.test", i+1)
			config := *in.Config
			config.Hostname = host
			config.Labels = nil
			config.Cmd = slices.Clone(in.Config.Cmd)
			for j, word := range config.Cmd {
				if strings.HasPrefix(word, "app@") {
					config.Cmd[j] = "app@" + host
				}
			}
			hostConfig := *in.HostConfig
			hostConfig.NetworkMode = container.NetworkMode(f.network)
			hostConfig.PortBindings = nat.PortMap{}
			for port := range in.HostConfig.PortBindings {
				hostConfig.PortBindings[port] = []nat.PortBinding{{HostIP: "127.0.0.1", HostPort: strconv.Itoa(15200 + i)}}
			}
			ip := fmt.Sprintf("10.214.0.%d", i+10)
			slots <- struct{}{}
			made, err := cli.ContainerCreate(ctx, &config, &hostConfig, &network.NetworkingConfig{
				EndpointsConfig: map[string]*network.EndpointSettings{f.network: {
					IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: ip}, Aliases: []string{host},
				}},
			}, nil, fmt.Sprintf("beamyard-bench-f%d", i+1))
			if err == nil {
				f.ids[i] = made.ID
				err = cli.ContainerStart(ctx, made.ID, container.StartOptions{})
			}
			<-slots
			if err != nil {
				return err
			}
			for {
				conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip, "9100"), time.Second)
				if err == nil {
					return conn.Close()
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		f.raze(t)
		t.Fatal(err)
	}
	return f, time.Since(began)
}

// raze is the floor of `down`: it removes everything by force, in parallel.
func (f *floor) raze(t *testing.T) time.Duration {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	began := time.Now()
	var group errgroup.Group
	for _, id := range f.ids {
		if id != "" {
			group.Go(func() error { return f.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}) })
		}
	}
	if err := errors.Join(group.Wait(), f.cli.NetworkRemove(ctx, f.network)); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// measure times `up`, until the full mesh is proven, and `down`.
func measure(t *testing.T, eng orchestrator.Engine, n int, keep func(*running)) (upTime, downTime time.Duration) {
	t.Helper()
	spec := func(s *orchestrator.Spec) {
		s.Name, s.StopTimeout = fmt.Sprintf("bench%d", n), 5*time.Second
		s.ReadyTimeout, s.MaxNodes = 3*time.Minute, 100
	}
	began := time.Now()
	r := up(t, eng, "trixie", n, spec)
	upTime = time.Since(began)
	if keep != nil {
		keep(r)
	}
	began = time.Now()
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	downTime = time.Since(began)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	return upTime, downTime
}

func median[T ~int64 | ~float64](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// TestBench prints the table of BENCH.md.
func TestBench(t *testing.T) {
	eng, cli := engine(t), bareClient(t)
	var rows []string
	row := func(format string, args ...any) {
		rows = append(rows, fmt.Sprintf(format, args...))
		t.Log(rows[len(rows)-1])
	}
	row("| what | nodes | floor | beamyard | ratio (median of pairs) | target |")
	row("|---|---|---|---|---|---|")

	var model container.InspectResponse
	var grace time.Duration
	measure(t, eng, 1, func(r *running) { // this also warms every cache
		model = template(t, cli, r.node("n1").ContainerID)
		began := time.Now()
		if err := r.Stop(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		grace = time.Since(began)
	})
	for _, size := range []struct{ nodes, pairs int }{{3, 7}, {10, 5}, {30, 3}} {
		var floors, ups, razes, downs []time.Duration
		var upRatios, downRatios []float64
		for range size.pairs {
			f, floorTime := raise(t, cli, model, size.nodes)
			razeTime := f.raze(t)
			upTime, downTime := measure(t, eng, size.nodes, nil)
			floors, ups = append(floors, floorTime), append(ups, upTime)
			razes, downs = append(razes, razeTime+grace), append(downs, downTime)
			upRatios = append(upRatios, upTime.Seconds()/floorTime.Seconds())
			downRatios = append(downRatios, downTime.Seconds()/(razeTime+grace).Seconds())
		}
		row("| up to a proven full mesh | %d | %.2f s | %.2f s | %.2f | ≤ 1.25 |", size.nodes, median(floors).Seconds(), median(ups).Seconds(), median(upRatios))
		row("| down (floor: forced removal + the BEAM's graceful stop, %.2f s) | %d | %.2f s | %.2f s | %.2f | ≤ 1.25 at 10 |",
			grace.Seconds(), size.nodes, median(razes).Seconds(), median(downs).Seconds(), median(downRatios))
	}
	for _, nodes := range []int{3, 10} {
		benchCompose(t, eng, model, nodes, row)
	}
	rss, cpu := atRest(t)
	row("| supervisor at rest, resident | 10 | | %.1f MB | | < 40 MB |", float64(rss)/1e6)
	row("| supervisor at rest, of one core | 10 | | %.2f %% | | < 1 %% |", cpu*100)
	fmt.Println(strings.Join(rows, "\n"))
}

// benchCompose measures `up` beside Compose, which starts the same containers, until each
// application answers over HTTP. Compose's nodes are then not connected: Compose does not
// connect them.
func benchCompose(t *testing.T, eng orchestrator.Engine, in container.InspectResponse, nodes int, row func(string, ...any)) {
	t.Helper()
	compose := []string{"docker-compose"}
	if _, err := exec.LookPath(compose[0]); err != nil {
		if exec.CommandContext(t.Context(), "docker", "compose", "version").Run() != nil {
			t.Log("Compose is not installed: there is nothing to compare with")
			return
		}
		compose = []string{"docker", "compose"}
	}
	var text strings.Builder
	text.WriteString("version: '3.5'\nnetworks: {b: {ipam: {config: [{subnet: 10.214.1.0/24}]}}}\nservices:\n")
	for i := range nodes {
		host := fmt.Sprintf("c%d.compose.test", i+1)
		command := slices.Clone(in.Config.Cmd)
		for j, word := range command {
			if strings.HasPrefix(word, "app@") {
				command[j] = "app@" + host
			}
		}
		quoted := func(words []string) string {
			list, err := json.Marshal(words)
			if err != nil {
				t.Fatal(err)
			}
			return string(list)
		}
		fmt.Fprintf(&text, "  c%d:\n    image: %s\n    hostname: %s\n    init: true\n    command: %s\n    environment: %s\n    ports: ['127.0.0.1:%d:4000']\n    networks: {b: {ipv4_address: 10.214.1.%d, aliases: [%s]}}\n",
			i+1, in.Config.Image, host, quoted(command), quoted(in.Config.Env), 15400+i, 10+i, host)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		args = append(append(slices.Clone(compose), "-p", "beamyardbench"), args...)
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	var theirs, ours []time.Duration
	var ratios []float64
	for range 3 {
		began := time.Now()
		run("up", "-d")
		for i := range nodes {
			eventually(t, "the application answers", func() bool {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/health", 15400+i), nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return false // docker-proxy accepts connections before anything listens behind it
				}
				return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
			})
		}
		theirTime := time.Since(began)
		run("down", "-t", "0")
		ourTime, _ := measure(t, eng, nodes, nil)
		theirs, ours = append(theirs, theirTime), append(ours, ourTime)
		ratios = append(ratios, ourTime.Seconds()/theirTime.Seconds())
	}
	row("| up, beside `docker-compose up -d` (applications answer, nodes not connected) | %d | %.2f s | %.2f s | %.2f | < 1 |",
		nodes, median(theirs).Seconds(), median(ours).Seconds(), median(ratios))
}

// atRest starts a detached cluster of ten nodes with the command itself, and measures its
// supervisor for half a minute.
func atRest(t *testing.T) (rss int64, cpu float64) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "beamyard")
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("go", "build", "-o", bin, "../../cmd/beamyard")
	run(bin, "up", demo, "-d", "-n", "10", "--name", "benchrest", "--wait-timeout", "3m")
	defer run(bin, "down", "benchrest")
	out, err := exec.Command("pgrep", "-f", bin+" supervise").Output()
	if err != nil {
		t.Fatalf("no supervisor: %v", err)
	}
	pid := strings.Fields(string(out))[0]
	const look = 30 * time.Second
	before := ticks(t, pid)
	<-time.After(look)
	const perSecond = 100 // USER_HZ
	return resident(t, pid), float64(ticks(t, pid)-before) / perSecond / look.Seconds()
}

func resident(t *testing.T, pid string) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/" + pid + "/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func ticks(t *testing.T, pid string) int64 {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var sum int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
