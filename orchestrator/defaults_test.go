package orchestrator_test

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// With EPMD and a command of its own a node's port is what EPMD says, unless the spec
// says it or hands it to the command.
func TestPortByEPMD(t *testing.T) {
	own := []string{"/usr/sbin/server"}
	for _, tt := range []struct {
		name string
		edit func(*orchestrator.Spec)
		port int
	}{
		{"the default command", func(*orchestrator.Spec) {}, orchestrator.DefaultDistPort},
		{"its own command", func(s *orchestrator.Spec) { s.Command = own }, 0},
		{"the image's command", func(s *orchestrator.Spec) { s.Command = []string{orchestrator.CommandOfImage} }, 0},
		{"its own entrypoint", func(s *orchestrator.Spec) { s.Entrypoint = own }, 0},
		{"a port", func(s *orchestrator.Spec) { s.Command, s.Distribution.Port = own, 25672 }, 25672},
		{"a port that is handed to it", func(s *orchestrator.Spec) { s.Command = []string{"/usr/sbin/server", "{dist_port}"} }, orchestrator.DefaultDistPort},
		{"a port in its environment", func(s *orchestrator.Spec) { s.Command, s.Env = own, map[string]string{"PORT": "{dist_port}"} }, orchestrator.DefaultDistPort},
		{"its own command at a node alone", func(s *orchestrator.Spec) { s.Nodes[0].Command = own }, orchestrator.DefaultDistPort},
		{"a release", func(s *orchestrator.Spec) { s.Command, s.Release = own, true }, orchestrator.DefaultDistPort},
		{"without EPMD", func(s *orchestrator.Spec) { s.Command, s.Distribution.EPMD = own, false }, orchestrator.DefaultDistPort},
	} {
		s := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3)}
		s.Distribution.EPMD = true
		tt.edit(&s)
		if err := validation.Check(s); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := s.Defaulted().Distribution.Port; got != tt.port {
			t.Errorf("%s: port %d, want %d", tt.name, got, tt.port)
		}
	}
}
