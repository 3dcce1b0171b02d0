package enginetest_test

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
)

func joined(refs ...string) (manager, worker *enginetest.Engine) {
	manager, worker = enginetest.New(refs...), enginetest.New(refs...)
	for _, e := range []*enginetest.Engine{manager, worker} {
		e.Program = func(orchestrator.ContainerSpec) enginetest.Program { return enginetest.Script }
		e.Command = enginetest.Script
	}
	enginetest.Join(manager, worker)
	return manager, worker
}

func TestOverlay(t *testing.T) {
	manager, worker := joined("script")
	contract.Overlay(t, manager, worker, "script")
}

func TestTransfer(t *testing.T) {
	from, to := joined()
	from.AddImage("image")
	contract.Transfer(t, from, to, "image")
}
