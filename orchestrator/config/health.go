package config

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// check is one of the cluster's own checks, as people write it.
type check struct {
	Name    string   `yaml:"name"`
	HTTP    string   `yaml:"http"`
	Port    int      `yaml:"port"`
	RPC     string   `yaml:"rpc"`
	Erlang  string   `yaml:"erlang"`
	Expect  string   `yaml:"expect"`
	Exec    []string `yaml:"exec"`
	Log     string   `yaml:"log"` // only of ready
	Timeout duration `yaml:"timeout"`
	Nodes   []string `yaml:"nodes"`
}

// thresholds are [health.Thresholds] as people write them.
type thresholds struct {
	RoundTrip duration `yaml:"round_trip"`
	ClockSkew duration `yaml:"clock_skew"`
	RunQueue  float64  `yaml:"run_queue"`
	Load      float64  `yaml:"load"`
	Memory    float64  `yaml:"memory"`
	Processes float64  `yaml:"processes"`
	Ports     float64  `yaml:"ports"`
	Atoms     float64  `yaml:"atoms"`
	Tables    float64  `yaml:"tables"`
	Files     float64  `yaml:"files"`
}

func checks(list []check) []orchestrator.Check {
	var specs []orchestrator.Check
	for _, k := range list {
		specs = append(specs, orchestrator.Check{
			Name: k.Name, HTTP: k.HTTP, Port: k.Port, RPC: k.RPC, Erlang: k.Erlang, Expect: k.Expect, Exec: k.Exec, Log: k.Log,
			Timeout: time.Duration(k.Timeout), Nodes: k.Nodes,
		})
	}
	return specs
}

func (t thresholds) spec() health.Thresholds {
	return health.Thresholds{
		RoundTrip: time.Duration(t.RoundTrip), ClockSkew: time.Duration(t.ClockSkew), RunQueue: t.RunQueue, Load: t.Load,
		Memory: t.Memory, Processes: t.Processes, Ports: t.Ports, Atoms: t.Atoms, Tables: t.Tables, Files: t.Files,
	}
}
