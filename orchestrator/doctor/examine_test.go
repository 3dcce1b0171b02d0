package doctor

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// These tests examine an in-memory engine: which requests it gets, what is reported, and
// what is left. Package orchestrator/e2e examines a real one.

// executable writes an ELF file that has only a header, and with a loader one segment
// that requests it.
func executable(t *testing.T, machine elf.Machine, loader bool) string {
	t.Helper()
	var b bytes.Buffer
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	if loader {
		header.Phoff, header.Phnum = 64, 1
	}
	err := binary.Write(&b, binary.LittleEndian, header)
	if loader {
		err = errors.Join(err, binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_INTERP)}))
	}
	path := filepath.Join(t.TempDir(), "beamyard")
	if err := errors.Join(err, os.WriteFile(path, b.Bytes(), 0o700)); err != nil {
		t.Fatal(err)
	}
	return path
}

// inMemory returns an engine whose helper reports a machine without problems.
func inMemory() *enginetest.Engine {
	eng := enginetest.New(images.Bases()[1]) // so that no mirror is contacted
	eng.Local = true
	eng.Program = func(spec orchestrator.ContainerSpec) enginetest.Program {
		return func(ctx context.Context, p *enginetest.Process) int {
			works := fault.Feature{Works: true}
			facts := insideFacts{
				BootID: firstLine("/proc/sys/kernel/random/boot_id"), NoFile: 65536, NetAdmin: slices.Contains(spec.Capabilities, "NET_ADMIN"),
				Faults: fault.Support{Nftables: works, Reset: works, Destroy: works, HTB: works, Netem: works, Notrack: works}, SpaceFree: 9 * gib, SpaceTotal: 10 * gib,
				MemoryFree: 4 * gib, InotifyWatches: 524288, InotifyUsers: 512,
			}
			if len(spec.Mounts) == 1 {
				facts.Nonce = firstLine(spec.Mounts[0].Source)
			}
			line, _ := json.Marshal(facts)
			fmt.Fprintf(p.Stdout, "%s\n", line)
			return enginetest.UntilStopped(ctx, p)
		}
	}
	return eng
}

// examine runs an examination and checks that nothing is left running.
func examine(t *testing.T, eng Engine, o Options) map[string]Check {
	t.Helper()
	before := goleak.IgnoreCurrent()
	if o.Engine = eng; o.Executable == "" {
		o.Executable = executable(t, elf.EM_X86_64, false)
	}
	report := Examine(t.Context(), o)
	found := map[string]Check{}
	for _, c := range report.Checks {
		if c.State == "" || c.Text == "" || c.Title == "" || strings.Contains(c.Text, "\n") {
			t.Errorf("an incomplete check: %+v", c)
		}
		found[c.Code] = c
	}
	if len(found) != len(report.Checks) {
		t.Error("two checks have one code")
	}
	containers, err := eng.Containers(context.Background(), map[string]string{})
	if err != nil || slices.ContainsFunc(containers, func(c orchestrator.Container) bool { return c.Labels[labelProbe] != "" }) {
		t.Errorf("left behind: %+v, %v", containers, err)
	}
	goleak.VerifyNone(t, before)
	return found
}

func (c Check) has(t *testing.T, state State, text string) {
	t.Helper()
	if c.State != state || !strings.Contains(c.Text, text) {
		t.Errorf("%s: %s %q, want %s %q", c.Code, c.State, c.Text, state, text)
	}
}

func TestExamine(t *testing.T) {
	eng := inMemory()
	path := executable(t, elf.EM_X86_64, false)
	for _, again := range []string{"first", "second"} {
		found := examine(t, eng, Options{Executable: path})
		for code, text := range map[string]string{
			"engine": "Docker 1", "container": "was started", "init": "has one", "nofile": "65536", "inotify": "524288", "mounts": "seen",
			"net-admin": "given", "faults": "can do all", "memory": "4.0 GiB of it free", "subnets": "free in 10.213.0.0/16", "clock": "agree", "leftovers": "no dead",
		} {
			found[code].has(t, OK, text)
		}
		found["storage"].has(t, OK, "9.0 GiB of 10.0 GiB free") // reported by the helper: this machine has no such root folder
		found["registry"].has(t, Warning, "none answers")
		found["addresses"].has(t, Failed, "the bridge is not on this machine") // an in-memory engine has no network
		found["ports"].has(t, Unknown, "not this machine's")
		// The image is built once.
		eng.FailNext("Import", errors.New(again+": made again"))
	}
}

// An engine without docker-init runs containers, and the check says what is missing.
func TestAnEngineWithoutInit(t *testing.T) {
	eng := inMemory()
	eng.NoInit = true
	found := examine(t, eng, Options{})
	found["container"].has(t, OK, "was started")
	found["init"].has(t, Warning, "nodes run without")
	examine(t, inMemory(), Options{})["init"].has(t, OK, "has one")
}

// A check that panics is a failed check, and the other checks still run.
func TestACrashIsAFailure(t *testing.T) {
	found := examine(t, crashing{inMemory()}, Options{})
	found["subnets"].has(t, Failed, "the check itself failed: networks")
	found["base"].has(t, Failed, "the check itself failed: image")
	found["container"].has(t, Failed, "the check itself failed: image")
	found["nofile"].has(t, Unknown, "no helper")
	found["engine"].has(t, OK, "Docker")
	if found["subnets"].Remedy == "" {
		t.Error("it has no remedy")
	}
	found = examine(t, insane{inMemory()}, Options{})
	found["engine"].has(t, Failed, "the check itself failed: info")
	if _, looked := found["subnets"]; looked {
		t.Error("the other checks ran without an engine")
	}
}

type insane struct{ *enginetest.Engine }

func (insane) Info(context.Context) (orchestrator.EngineInfo, error) { panic("info") }

type crashing struct{ *enginetest.Engine }

func (crashing) Networks(context.Context, map[string]string) ([]orchestrator.Network, error) {
	panic("networks")
}
func (crashing) Image(context.Context, string) (images.Info, error) { panic("image") }

// hanging accepts connections and never answers.
type hanging struct{ *enginetest.Engine }

func (hanging) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	<-ctx.Done()
	return orchestrator.EngineInfo{Endpoint: "memory://hung"}, ctx.Err()
}

// slow answers the first request, and then none.
type slow struct{ *enginetest.Engine }

func (slow) Networks(ctx context.Context, _ map[string]string) ([]orchestrator.Network, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (slow) CreateContainer(ctx context.Context, _ orchestrator.ContainerSpec) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (slow) Offered(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestNobodyIsWaitedForForever(t *testing.T) {
	found := examine(t, hanging{inMemory()}, Options{Patience: 20 * time.Millisecond})
	found["engine"].has(t, Failed, "no engine answers at memory://hung: no answer within 20ms")
	found = examine(t, slow{inMemory()}, Options{Patience: 100 * time.Millisecond})
	found["engine"].has(t, OK, "Docker")
	found["subnets"].has(t, Unknown, "no answer within 100ms")
	found["container"].has(t, Warning, "no answer")
	found["registry"].has(t, Warning, "no answer within 100ms")
	found["cgroup"].has(t, OK, "version 2")
}

// late creates the container after its caller has given up.
type late struct{ *enginetest.Engine }

func (l late) CreateContainer(ctx context.Context, spec orchestrator.ContainerSpec) (string, error) {
	<-ctx.Done()
	time.AfterFunc(100*time.Millisecond, func() { _, _ = l.Engine.CreateContainer(context.WithoutCancel(ctx), spec) })
	return "", ctx.Err()
}

func TestALateHelperIsRemoved(t *testing.T) {
	examine(t, late{inMemory()}, Options{Patience: 50 * time.Millisecond})["container"].has(t, Warning, "no answer")
}

// Without an engine, the checks that need none have results, and the others are reported
// once.
func TestNoEngine(t *testing.T) {
	refused := orchestrator.WithHint(errors.New("docker context nope: not found"), "docker context ls")
	for name, o := range map[string]Options{"none": {}, "no context": {NoEngine: refused}} {
		report := Examine(t.Context(), o)
		var unusable *UnusableError
		if report.Usable || !errors.As(report.Err(), &unusable) || unusable.Check.Code != "engine" || unusable.Check.Remedy == "" {
			t.Errorf("%s: %+v, %v", name, report, report.Err())
		}
		if n := report.Count(Unknown); n != 1 || report.Checks[0].State != Failed {
			t.Errorf("%s: %d unknown: %+v", name, n, report.Checks)
		}
	}
	if got := Examine(t.Context(), Options{NoEngine: refused}).Checks[0]; got.Text != "docker context nope: not found" || got.Remedy != "docker context ls" {
		t.Errorf("%+v", got)
	}
}

// A refused feature is found by requesting less, and the remaining checks still have
// results.
func TestRefusedFeaturesAreReported(t *testing.T) {
	no := func(n int) (errs []error) {
		for i := range n {
			errs = append(errs, fmt.Errorf("refusal %d", i+1))
		}
		return errs
	}
	for refusals, want := range map[int]struct{ mounts, netAdmin, container State }{
		0: {OK, OK, OK}, 1: {Warning, OK, OK}, 2: {OK, Warning, OK}, 3: {Warning, Warning, OK}, 4: {Unknown, Unknown, Failed},
	} {
		eng := inMemory()
		eng.FailNext("StartContainer", no(refusals)...)
		found := examine(t, eng, Options{})
		if got := []State{found["mounts"].State, found["net-admin"].State, found["container"].State}; !slices.Equal(got, []State{want.mounts, want.netAdmin, want.container}) {
			t.Errorf("%d refusals: %v, want %v", refusals, got, want)
		}
		if want.container == Failed {
			found["container"].has(t, Failed, "refusal 4")
		}
		if want.netAdmin == Warning {
			found["faults"].has(t, Unknown, "without NET_ADMIN")
		}
	}
}

// An engine that answers but starts no container is not usable. A slow engine, and one on
// which this program cannot be tried, is.
func TestNothingRunsWhereNoContainerStarts(t *testing.T) {
	broken := errors.New("OCI runtime create failed")
	refuses := inMemory()
	refuses.FailNext("StartContainer", broken, broken, broken, broken)
	creates := inMemory()
	creates.FailNext("CreateContainer", broken, broken, broken, broken)
	for _, eng := range []Engine{refuses, creates} {
		report := Examine(t.Context(), Options{Engine: eng, Executable: executable(t, elf.EM_X86_64, false)})
		var unusable *UnusableError
		if report.Usable || !errors.As(report.Err(), &unusable) || unusable.Check.Code != "container" || unusable.Check.Remedy == "" {
			t.Errorf("usable %v: %v", report.Usable, report.Err())
		}
		if text := fmt.Sprint(report.Err()); !strings.Contains(text, "nothing can run here: no helper container can be started: OCI runtime") {
			t.Error(text)
		}
	}
	silent := inMemory()
	silent.Program = func(orchestrator.ContainerSpec) enginetest.Program {
		return func(context.Context, *enginetest.Process) int { return 1 }
	}
	for name, o := range map[string]Options{
		"slow":      {Engine: slow{inMemory()}, Executable: executable(t, elf.EM_X86_64, false), Patience: 100 * time.Millisecond},
		"elsewhere": {Engine: inMemory(), Executable: executable(t, elf.EM_AARCH64, false)},
		"no facts":  {Engine: silent, Executable: executable(t, elf.EM_X86_64, false)},
		"fine":      {Engine: inMemory(), Executable: executable(t, elf.EM_X86_64, false)},
	} {
		if report := Examine(t.Context(), o); !report.Usable || report.Err() != nil {
			t.Errorf("%s: %v", name, report.Err())
		}
	}
}

func TestWhichProgramsMakeAHelper(t *testing.T) {
	text := filepath.Join(t.TempDir(), "beamyard.sh")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	eng := inMemory()
	examine(t, eng, Options{Executable: text})["container"].has(t, Unknown, "it is not a Linux executable")
	examine(t, eng, Options{Executable: executable(t, elf.EM_AARCH64, false)})["container"].has(t, Unknown, "machine is x86_64, it is for EM_AARCH64")
	dynamic := executable(t, elf.EM_X86_64, true)
	examine(t, eng, Options{Executable: dynamic})["container"].has(t, OK, "was started")
	found := examine(t, bare{inMemory()}, Options{Executable: dynamic})
	found["container"].has(t, Unknown, "and the engine has no base image")
	found["nofile"].has(t, Unknown, "see container")
	found["base"].has(t, OK, "can be pulled")
}

// bare is an engine without an image, but with a registry.
type bare struct{ *enginetest.Engine }

func (bare) Image(_ context.Context, ref string) (images.Info, error) {
	return images.Info{}, fmt.Errorf("%s: %w", ref, images.ErrNotFound)
}
func (bare) Offered(context.Context, string) error { return nil }

func TestAHelperThatSaysNothingOfUse(t *testing.T) {
	eng := inMemory()
	eng.Program = func(orchestrator.ContainerSpec) enginetest.Program {
		return func(_ context.Context, p *enginetest.Process) int {
			fmt.Fprintln(p.Stderr, "exec format error")
			return 1
		}
	}
	examine(t, eng, Options{})["container"].has(t, Failed, "exec format error")
}

func dead() orchestrator.Owner {
	o := keeper.Self(false)
	o.PID, o.Start = 1<<22+1, "1" // greater than any process ID of Linux
	return o
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A cluster of a dead process is reported and kept. A helper of a dead examination is
// removed, and one of a running examination is kept.
func TestLeftovers(t *testing.T) {
	eng := inMemory()
	image := eng.AddImage("demo:1")
	pool := netip.MustParsePrefix("198.18.0.0/16") // RFC 2544: this machine has no route there
	owner := encoded(t, dead())
	label := map[string]string{orchestrator.LabelCluster: "lost", orchestrator.LabelOwner: owner, orchestrator.LabelSpec: encoded(t, orchestrator.Spec{Name: "lost"})}
	id, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "beamyard-lost", Subnet: netip.MustParsePrefix("198.18.0.0/26"), Labels: label})
	if err != nil {
		t.Fatal(err)
	}
	create := func(name string, labels map[string]string) {
		t.Helper()
		if _, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: name, Image: image, NetworkID: id, Labels: labels}); err != nil {
			t.Fatal(err)
		}
	}
	create("beamyard-lost-n1", label)
	create("beamyard-probe-dead", map[string]string{labelProbe: "x", orchestrator.LabelOwner: owner})

	found := examine(t, eng, Options{Pool: pool})
	found["leftovers"].has(t, Warning, "1 container and 1 network, of lost")
	if found["leftovers"].Remedy != "beamyard prune" {
		t.Errorf("%+v", found["leftovers"])
	}
	found["subnets"].has(t, OK, "1023 of 1024 (/26) free in 198.18.0.0/16; held by beamyard-lost")

	create("beamyard-probe-alive", map[string]string{labelProbe: "y", orchestrator.LabelOwner: encoded(t, keeper.Self(false))})
	Examine(t.Context(), Options{Engine: eng, Executable: executable(t, elf.EM_X86_64, false)})
	if _, err := eng.InspectContainer(t.Context(), "beamyard-probe-alive"); err != nil {
		t.Errorf("the helper of another examination: %v", err)
	}
}

// An examination that was killed cannot remove its folder. The next one does, except for
// folders that may be in use or are not Beamyard's.
func TestAKilledExaminationsFolderGoes(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	hourAgo := time.Now().Add(-time.Hour)
	for name, at := range map[string]time.Time{"beamyard-doctor-killed": hourAgo, "beamyard-doctor-runs": time.Now(), "somebodys-doctor-1": hourAgo} {
		folder := filepath.Join(tmp, name)
		err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "nonce"), []byte("x\n"), 0o600), os.Chtimes(folder, at, at))
		if err != nil {
			t.Fatal(err)
		}
	}
	examine(t, inMemory(), Options{})["mounts"].has(t, OK, "seen")
	left, err := filepath.Glob(filepath.Join(tmp, "*doctor*"))
	if want := []string{filepath.Join(tmp, "beamyard-doctor-runs"), filepath.Join(tmp, "somebodys-doctor-1")}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left: %v, %v", left, err)
	}
}

// An examination that is interrupted removes its helper.
func TestInterrupted(t *testing.T) {
	eng := enginetest.New()
	ctx, cancel := context.WithCancel(t.Context())
	eng.Program = func(orchestrator.ContainerSpec) enginetest.Program {
		return func(ctx context.Context, p *enginetest.Process) int {
			cancel()
			return enginetest.UntilStopped(ctx, p)
		}
	}
	Examine(ctx, Options{Engine: eng, Executable: executable(t, elf.EM_X86_64, false)})
	if left, err := eng.Containers(t.Context(), nil); err != nil || len(left) != 0 {
		t.Errorf("left behind: %+v, %v", left, err)
	}
}

// The README's sample has the row of each check of the engine, in their order.
func TestTheSampleHasEachCheck(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	sample := string(text)
	for _, c := range checks(true) {
		at := regexp.MustCompile(`(?m)^[✓!✗?] ` + regexp.QuoteMeta(c.title) + ` `).FindStringIndex(sample)
		if at == nil {
			t.Fatalf("no row %q after the one before it", c.title)
		}
		sample = sample[at[1]:]
	}
}
