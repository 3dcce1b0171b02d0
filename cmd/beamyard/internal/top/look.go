package top

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
)

// Snapshot is all that the view shows, at one time.
type Snapshot struct {
	Status    orchestrator.Status       `json:"status"`
	Health    orchestrator.HealthReport `json:"health"`
	Relations effects.Relations         `json:"relations"`

	events []orchestrator.Event
}

// Printed returns the snapshot as the command line prints it: its hints are text, with commands.
func (s Snapshot) Printed() Snapshot {
	s.Status, s.Health = s.Status.Printed(), s.Health.Printed()
	return s
}

// Look asks the cluster once.
func Look(ctx context.Context, connect Connect) (s Snapshot, err error) {
	link, err := connect(ctx)
	if err != nil {
		return s, err
	}
	defer link.Close()
	if s.Status, err = link.Status(ctx); err != nil {
		return s, err
	}
	if s.Health, err = link.Health(ctx); err != nil {
		return s, err
	}
	s.Relations = effects.Relate(s.Status, s.Health.Report, time.Now())
	err = link.Events(ctx, 0, false, func(e orchestrator.Event) error {
		s.events = append(s.events, e)
		return nil
	})
	if errors.Is(err, orchestrator.ErrNoSupervisor) {
		err = nil // nobody keeps events
	}
	return s, err
}
