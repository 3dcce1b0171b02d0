package upgrade

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Record is what is known of the last upgrade of a cluster. The maps are by node, and have only
// the nodes that it concerns.
type Record struct {
	From  map[string]manifest.Build             `json:"from"` // to go back to
	To    map[string]manifest.Build             `json:"to"`
	Ports map[string][]orchestrator.PortBinding `json:"ports"`

	id    string // of its container
	begun time.Time
}

// RecordOf returns the record that a cluster's containers hold. If a process was killed while it
// replaced one, the latest counts.
func RecordOf(containers []orchestrator.Container) (r Record, found bool) {
	for _, c := range containers {
		var one Record
		text := c.Labels[orchestrator.LabelUpgrade]
		if text == "" || json.Unmarshal([]byte(text), &one) != nil {
			continue
		}
		one.id, one.begun = c.ID, orchestrator.CreatedOf(c.Labels)
		if !found || one.begun.After(r.begun) {
			r, found = one, true
		}
	}
	return r, found
}

// complete reports whether all nodes run what they were to run.
func (r Record) complete(now map[string]manifest.Build) bool {
	for node, to := range r.To {
		if is, ok := now[node]; !ok || !is.Same(to) {
			return false
		}
	}
	return true
}

// next returns the record of an upgrade to other builds that begins now. If the one before it was
// not completed, its beginning stays the way back.
func (r Record) next(now, to map[string]manifest.Build, ports map[string][]orchestrator.PortBinding) Record {
	from := maps.Clone(now)
	if !r.complete(now) {
		maps.Copy(from, r.From)
	}
	for node := range from {
		if _, concerned := to[node]; !concerned {
			delete(from, node)
		}
	}
	return Record{From: from, To: to, Ports: ports}
}

// helperPrefix begins the purpose of the container of a record, and its name.
const helperPrefix = "upgrade-"

// keep creates the container of a record, and removes those before it. The container is created
// of an image that a node runs, and never started.
func (r Record) keep(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec, image string) error {
	info, err := eng.Info(ctx)
	if err != nil {
		return err
	}
	before, err := records(ctx, eng, s.Name)
	if err != nil {
		return err
	}
	name := helperPrefix + strings.ToLower(rand.Text()[:6])
	labels := manifest.ClusterLabels(s, info.Time)
	labels[orchestrator.LabelHelper], labels[orchestrator.LabelUpgrade] = name, manifest.MustJSON(r)
	// It is not interrupted: the engine would create the container anyway.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	if _, err := eng.CreateContainer(ctx, orchestrator.ContainerSpec{
		Name: s.Names().Container(name), Image: image, Command: []string{"true"}, Labels: labels, NoInit: true, LogMaxSize: "1m", LogMaxFile: 1,
	}); err != nil {
		return fmt.Errorf("record the upgrade: %w", err)
	}
	return remove(ctx, eng, before)
}

// forget removes all records of a cluster.
func forget(ctx context.Context, eng orchestrator.Engine, cluster string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	all, err := records(ctx, eng, cluster)
	return errors.Join(err, remove(ctx, eng, all))
}

func records(ctx context.Context, eng orchestrator.Engine, cluster string) ([]orchestrator.Container, error) {
	all, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: cluster})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return slices.DeleteFunc(all, func(c orchestrator.Container) bool { return c.Labels[orchestrator.LabelUpgrade] == "" }), nil
}

func remove(ctx context.Context, eng orchestrator.Engine, containers []orchestrator.Container) error {
	var errs []error
	for _, c := range containers {
		errs = append(errs, eng.RemoveContainer(ctx, c.ID))
	}
	return errors.Join(errs...)
}
