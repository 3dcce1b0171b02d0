package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/parking"
)

// lotCmd is the process that keeps parked clusters for later commands. See package parking.
type lotCmd struct {
	Socket string `arg:"" help:"Name of its socket."`
}

// Run keeps parked clusters until they are taken, or too old.
func (c *lotCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return parking.Run(ctx, c.Socket, eng, exec.Command(self, "watchdog", "parked")) //nolint:noctx // it outlives this process on purpose
}

// takeParked takes a parked cluster that is equal to the one to start, if there is one, and orders
// the next one. It only saves time: without it, the cluster is started as usual.
func (u *up) takeParked(ctx context.Context) error {
	count := parking.Wanted(u.spec)
	info, err := u.eng.Info(ctx)
	if err != nil {
		return err
	}
	if count > 0 {
		order, why, err := parking.NewOrder(ctx, u.eng, u.spec, "", count)
		if why != "" {
			u.say("%s is not parked for a next start: %s", u.spec.Name, why)
		}
		if err == nil && why == "" {
			u.ticket, u.order = parking.Take(ctx, parking.Socket(info), order.Key), order
			if p := u.ticket.Parked; p != nil {
				u.spec.Cookie, u.spec.Owner = p.Spec.Cookie, p.Spec.Owner
				return nil
			}
		}
	}
	if u.inTheWay { // it is another one of this name
		return u.evict(ctx)
	}
	return nil
}

// parked returns the cluster that was taken, or nil.
func (u *up) parked() *cluster.Parked {
	if u.ticket == nil {
		return nil
	}
	return u.ticket.Parked
}

// evict removes the parked cluster of this name.
func (u *up) evict(ctx context.Context) error {
	info, err := u.eng.Info(ctx)
	if err == nil {
		parking.Evict(ctx, info, u.spec.Name) // what stays is reported as an existing cluster
	}
	return err
}

// parkNext has the next such cluster parked once this one is removed.
func (u *up) parkNext(ctx context.Context) {
	if u.ticket == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience) // the use of the cluster may be short
	defer cancel()
	u.ticket.Order(ctx, u.order, func(socket string) *exec.Cmd {
		self, _ := os.Executable()               // "" does not start
		return exec.Command(self, "lot", socket) //nolint:noctx // it outlives this process on purpose
	})
}
