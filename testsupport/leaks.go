package testsupport

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// leakTime is how long objects that are being removed may take to disappear.
const leakTime = 3 * time.Second

// NoLeaks fails the test if its containers, networks or volumes are left at its end. It checks
// clusters and, if this process has a testcontainers session of its own, other objects of
// testcontainers. (The process has its own session only if testcontainers' reaper is not
// available. Otherwise all test binaries of a `go test ./...` share one session, and the reaper
// cleans it up.) Call NoLeaks first: cleanups registered later run earlier.
//
// It reports what this process has created since the call, except the objects of other tests'
// clusters. It cannot distinguish containers that other tests create at the same time through
// testcontainers alone: do not run such tests in parallel with it.
func NoLeaks(tb testing.TB) {
	tb.Helper()
	s, err := join(tb.Context())
	require(tb, "look for what is left", err)
	before, err := s.made(tb.Context())
	require(tb, "look for what is left", err)
	tb.Cleanup(func() {
		ctx := context.WithoutCancel(tb.Context())
		left, err := leftOf(ctx, s, func(m made) bool {
			return slices.ContainsFunc(before, func(b made) bool { return b.id == m.id }) || running.others(tb.Name())[m.cluster]
		}, leakTime)
		if err != nil {
			tb.Errorf("look for what is left: %s", hinted(err))
			return
		}
		if len(left) > 0 {
			tb.Error(leakText(tb.Name(), left))
		}
	})
}

// made is an object on the engine that this process created.
type made struct{ kind, id, name, cluster string }

// made lists the objects that carry this process's testcontainers session or name it as their
// owner.
func (s *session) made(ctx context.Context) ([]made, error) {
	session, self := testcontainers.SessionID(), keeper.Self(false)
	own := func(labels map[string]string) bool {
		// A session ID that testcontainers generates is shared with other test binaries.
		if labels[orchestrator.LabelCluster] == "" {
			return s.reaps && labels[sessionLabel] == session
		}
		return orchestrator.OwnerOf(labels) == self || taken.has(labels[orchestrator.LabelCluster])
	}
	var all []made
	add := func(kind, id, name string, labels map[string]string) {
		if own(labels) {
			all = append(all, made{kind, id, name, labels[orchestrator.LabelCluster]})
		}
	}
	containers, err := s.eng.Containers(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		add("container", c.ID, c.Name, c.Labels)
	}
	networks, err := s.eng.Networks(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		add("network", n.ID, n.Name, n.Labels)
	}
	volumes, err := s.eng.Volumes(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		add("volume", v.Name, v.Name, v.Labels)
	}
	return all, nil
}

// leftOf returns the objects that are left and not excused, after allowing them some time to
// disappear.
func leftOf(ctx context.Context, s *session, excused func(made) bool, within time.Duration) (left []made, err error) {
	none := eventually(ctx, within, func() error {
		all, asked := s.made(ctx)
		if err = asked; err != nil {
			return err
		}
		left = slices.DeleteFunc(all, func(m made) bool { return excused != nil && excused(m) })
		if len(left) > 0 {
			return fmt.Errorf("%d left", len(left))
		}
		return nil
	})
	if none == nil || err != nil {
		return nil, err
	}
	return left, nil
}

func leakText(of string, left []made) string {
	var b strings.Builder
	fmt.Fprintf(&b, "left behind by %s:", of)
	for _, m := range left {
		fmt.Fprintf(&b, "\n  %s %s", m.kind, m.name)
	}
	b.WriteString("\nhint: call testsupport.CleanupCluster, or testcontainers.CleanupContainer, before checking the error")
	return b.String()
}
