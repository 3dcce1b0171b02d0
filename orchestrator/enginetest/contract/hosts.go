package contract

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Machine is an engine that can be one of several: see hosts.Machine.
type Machine interface {
	orchestrator.Engine
	SaveImage(ctx context.Context, ref string) (io.ReadCloser, error)
	LoadImage(ctx context.Context, archive io.Reader) error
	CreateOverlay(ctx context.Context, n orchestrator.NetworkSpec, encrypted bool) (string, error)
}

// Transfer verifies that an image that from has, and to lacks, is the same on to after a transfer,
// by its reference and by its ID. The caller removes it there.
func Transfer(t *testing.T, from, to Machine, ref string) {
	want, err := from.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Image(t.Context(), ref); !errors.Is(err, images.ErrNotFound) {
		t.Fatalf("before the transfer: %v, want %v", err, images.ErrNotFound)
	}
	archive, err := from.SaveImage(t.Context(), want.ID) // it keeps its tags
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if err := to.LoadImage(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ref, want.ID} {
		if got, err := to.Image(t.Context(), name); err != nil || got.ID != want.ID {
			t.Errorf("%s after the transfer: %+v, %v, want %s", name, got, err, want.ID)
		}
	}
	if _, err := from.SaveImage(t.Context(), "beamyard-test/no-such:image"); !errors.Is(err, images.ErrNotFound) {
		t.Errorf("save a missing image: %v", err)
	}
	if err := to.LoadImage(t.Context(), io.LimitReader(brokenArchive{}, 1<<10)); err == nil {
		t.Error("an archive that is none was loaded")
	}
}

// brokenArchive is not an image.
type brokenArchive struct{}

func (brokenArchive) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// Overlay verifies the overlay networks of a manager and a worker of one swarm. Both have image.
func Overlay(t *testing.T, manager, worker Machine, image string, entrypoint ...string) {
	s, w := newSuite(t, manager, image, entrypoint), newSuite(t, worker, image, entrypoint)
	w.labels = s.labels
	_, err := worker.CreateOverlay(t.Context(), s.networkSpec(randomSubnet()), false)
	s.is("create on a worker", err, orchestrator.ErrNoSwarm)
	subnet := randomSubnet()
	id, err := manager.CreateOverlay(t.Context(), s.networkSpec(subnet), false)
	s.must(err)
	lists := func(m Machine) bool {
		all, err := m.Networks(t.Context(), nil)
		s.must(err)
		return slices.ContainsFunc(all, func(n orchestrator.Network) bool { return n.ID == id && slices.Contains(n.Subnets, subnet) })
	}
	if !lists(manager) || lists(worker) {
		t.Errorf("before it is used: listed by the manager %t, by the worker %t", lists(manager), lists(worker))
	}
	fixed := subnet.Addr().Next().Next()
	place := func(s *suite, name string) string {
		return s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.NetworkID, c.IP = s.name()+name, id, fixed }, "wait")
	}
	first := place(w, "-a")
	for range 2 { // it keeps its address over restarts
		w.must(worker.StartContainer(t.Context(), first))
		c, err := worker.InspectContainer(t.Context(), first)
		w.must(err)
		if c.Address(id) != fixed || !lists(worker) {
			t.Errorf("on the worker: networks %+v, want %s; listed %t", c.Networks, fixed, lists(worker))
		}
		s.is("remove a network that the worker uses", manager.RemoveNetwork(t.Context(), id), orchestrator.ErrConflict)
		second := place(s, "-b")
		s.is("take the address on the manager", manager.StartContainer(t.Context(), second), orchestrator.ErrConflict)
		s.must(manager.RemoveContainer(t.Context(), second))
		w.must(worker.KillContainer(t.Context(), first, "KILL"))
		w.exited(first)
	}
	w.must(worker.RemoveContainer(t.Context(), first))
	s.eventually("the address is free on the manager", func() bool {
		second := place(s, "-c")
		defer func() { s.must(manager.RemoveContainer(context.Background(), second)) }()
		return manager.StartContainer(t.Context(), second) == nil
	})
	s.eventually("the network can be removed", func() bool { return manager.RemoveNetwork(t.Context(), id) == nil })
}
