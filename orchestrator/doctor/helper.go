package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/helper"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// labelProbe marks helper containers, which belong to no cluster.
const labelProbe = "beamyard.probe"

// helperFacts are the results of the helper container.
type helperFacts struct {
	insideFacts
	initRefused  error // the engine has no init program: the helper started without
	capsRefused  error // with NET_ADMIN the helper did not start; without it, it did
	mountFailed  error // why there was no file to mount
	mountRefused error // with the mount the helper did not start; without it, it did
	mountSeen    bool  // the mounted file is the right one
	address      netip.AddrPort
	addressErr   error // why its own address does not answer; nil if it does
	bridgeHere   bool  // its bridge is an interface of this machine
	published    string
	publishedErr error // the same for its published port
	took         time.Duration
}

// runHelper runs the program in a container, reads its output, dials it, and removes it.
func (e *examination) runHelper(ctx context.Context) (helperFacts, error) {
	e.sweepHelpers(ctx)
	image, err := helper.Image(ctx, e.Engine, e.engine.info, e.Executable)
	if err != nil {
		return helperFacts{}, err
	}
	nonce := rand.Text()
	mount, forget, err := noncePlace(nonce)
	defer forget()
	facts, began := helperFacts{mountFailed: err}, time.Now()
	id, err := e.startHelper(ctx, &facts, e.helperSpec(image, nonce), mount)
	if err != nil {
		return helperFacts{}, err
	}
	defer e.removeHelper(ctx, id)
	if facts.insideFacts, err = e.readFacts(ctx, id); err != nil {
		return helperFacts{}, err
	}
	facts.mountSeen = facts.Nonce == nonce
	err = e.dialHelper(ctx, &facts, id, nonce)
	// Package orchestrator decides in the same way whether it can dial nodes directly.
	facts.bridgeHere = e.engine.info.Local && network.Reachable(facts.Gateway)
	facts.took = time.Since(began)
	return facts, err
}

// nonceFolder is the prefix of temporary folders that hold a file to be mounted.
const nonceFolder = "beamyard-doctor-"

// noncePlace creates a file with the nonce, to be mounted, and returns how to remove it.
func noncePlace(nonce string) (mount orchestrator.Mount, forget func(), err error) {
	sweepNonces(time.Now())
	folder, err := os.MkdirTemp("", nonceFolder+"*")
	if err != nil {
		return mount, func() {}, fmt.Errorf("make a folder: %w", err)
	}
	file := filepath.Join(folder, "nonce")
	// Readable for all: with user namespaces the container's root is another user here.
	err = errors.Join(os.WriteFile(file, []byte(nonce+"\n"), 0o644), os.Chmod(folder, 0o755))
	return orchestrator.Mount{Source: file, Target: nonceTarget}, func() { _ = os.RemoveAll(folder) }, err
}

// sweepNonces removes the folders of examinations that were killed. It goes by their age: an
// examination takes seconds, and a process ID is no evidence if containers share the folder for
// temporary files.
func sweepNonces(now time.Time) {
	const old = 10 * time.Minute
	all, _ := filepath.Glob(filepath.Join(os.TempDir(), nonceFolder+"*")) // the pattern is valid
	for _, folder := range all {
		if info, err := os.Lstat(folder); err == nil && info.IsDir() && now.Sub(info.ModTime()) > old {
			_ = os.RemoveAll(folder) // a folder of another user stays
		}
	}
}

func (e *examination) helperSpec(image, nonce string) orchestrator.ContainerSpec {
	owner, _ := json.Marshal(keeper.Self(false)) // plain data
	return orchestrator.ContainerSpec{
		Name: "beamyard-probe-" + nonce[:12], Image: image,
		Entrypoint: []string{helper.Program}, Command: []string{"probe"}, User: "0",
		Env:          []string{nonceEnv + "=" + nonce},
		Labels:       map[string]string{labelProbe: nonce, orchestrator.LabelOwner: string(owner)},
		Ports:        []orchestrator.PortBinding{{Container: probePort, HostIP: cmp.Or(e.engine.info.Publish, "127.0.0.1")}},
		Capabilities: []string{"NET_ADMIN"},
		StopTimeout:  time.Second, LogMaxSize: "1m", LogMaxFile: 1,
	}
}

// startHelper starts the helper with all features to be tested. If the engine refuses that, it
// tries fewer, to find out what was refused.
func (e *examination) startHelper(ctx context.Context, facts *helperFacts, spec orchestrator.ContainerSpec, mount orchestrator.Mount) (id string, err error) {
	caps := spec.Capabilities
	var errs [4]error
	for i, with := range [4]struct{ caps, mount bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		spec.Capabilities, spec.Mounts = nil, nil
		if with.caps {
			spec.Capabilities = caps
		}
		if with.mount && facts.mountFailed == nil {
			spec.Mounts = []orchestrator.Mount{mount}
		}
		if id, errs[i] = e.tryHelper(ctx, facts, spec); errs[i] == nil {
			if !with.mount {
				facts.mountRefused = errs[i-1]
			}
			if !with.caps {
				facts.capsRefused = errs[1]
			}
			return id, nil
		}
		if ctx.Err() != nil {
			return "", errs[i]
		}
	}
	return "", fmt.Errorf("%w: %w", errRefused, errs[3])
}

// tryHelper starts a helper, without an init if the engine has none.
func (e *examination) tryHelper(ctx context.Context, facts *helperFacts, spec orchestrator.ContainerSpec) (string, error) {
	spec.NoInit = facts.initRefused != nil
	id, err := e.startOnce(ctx, spec)
	if !spec.NoInit && errors.Is(err, orchestrator.ErrNoInit) {
		facts.initRefused, spec.NoInit = err, true
		id, err = e.startOnce(ctx, spec)
	}
	return id, err
}

func (e *examination) startOnce(ctx context.Context, spec orchestrator.ContainerSpec) (string, error) {
	id, err := e.Engine.CreateContainer(ctx, spec)
	if err != nil {
		if ctx.Err() != nil {
			e.removeLate(ctx, spec.Labels)
		}
		return "", err
	}
	if err := e.Engine.StartContainer(ctx, id); err != nil {
		e.removeHelper(ctx, id)
		return "", err
	}
	return id, nil
}

func (e *examination) removeHelper(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = e.Engine.RemoveContainer(ctx, id) // else it ends by itself, and the next examination removes it
}

// removeLate removes a helper whose creation was cancelled: the engine may still create it a
// moment later.
func (e *examination) removeLate(ctx context.Context, labels map[string]string) {
	const looks = 5
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	for range looks {
		if list, err := e.Engine.Containers(ctx, labels); err == nil && len(list) > 0 {
			e.removeHelper(ctx, list[0].ID)
			return
		}
		if !wait.Sleep(ctx, 200*time.Millisecond) {
			return
		}
	}
}

// sweepHelpers removes the helpers of examinations that were killed.
func (e *examination) sweepHelpers(ctx context.Context) {
	all, err := e.containers.get(ctx)
	if err != nil {
		return // reported by a check
	}
	for _, c := range all {
		var owner orchestrator.Owner
		if _, ours := c.Labels[labelProbe]; !ours || json.Unmarshal([]byte(c.Labels[orchestrator.LabelOwner]), &owner) != nil {
			continue
		}
		if alive, known := keeper.Alive(owner); known && !alive {
			e.removeHelper(ctx, c.ID)
		}
	}
}

// readFacts waits for the line with the helper's facts.
func (e *examination) readFacts(ctx context.Context, id string) (insideFacts, error) {
	var facts insideFacts
	err := readReport(ctx, e.Engine, id, func(line []byte) bool {
		facts = insideFacts{}
		return json.Unmarshal(line, &facts) == nil
	})
	return facts, err
}
