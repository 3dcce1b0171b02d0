package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// port is the one at which managers listen. Source: docker swarm init --help, --listen-addr.
const port = "2377"

// Action is what a step does.
type Action string

// The actions.
const (
	ActInit   Action = "init"
	ActJoin   Action = "join"
	ActLeave  Action = "leave"
	ActForget Action = "forget" // a manager removes a member that has left from its list
)

// Step is one change of one host.
type Step struct {
	Host      string
	Do        Action
	Advertise string // of ActInit and ActJoin; "" lets the engine choose
	Via       string // ActJoin: the manager's host
	Manager   string // ActJoin: the manager's address with its port; "" asks Via, which the plan makes a manager
	Member    string // ActForget: its ID
	Of        string // ActForget: its host
	Force     bool   // ActLeave: of a manager, which ends its swarm
}

// Plan is what Do does, in this order. A plan without steps changes nothing.
type Plan struct{ Steps []Step }

// String says what the step does.
func (s Step) String() string {
	at := "an address that Docker chooses"
	if s.Advertise != "" {
		at = s.Advertise
	}
	switch s.Do {
	case ActInit:
		return fmt.Sprintf("host %s starts a swarm and manages it; the others reach it at %s", s.Host, at)
	case ActJoin:
		return fmt.Sprintf("host %s joins the swarm of host %s as a worker; the others reach it at %s", s.Host, s.Via, at)
	case ActLeave:
		if s.Force {
			return fmt.Sprintf("host %s leaves the swarm, which ends with it", s.Host)
		}
		return fmt.Sprintf("host %s leaves the swarm", s.Host)
	case ActForget:
		return fmt.Sprintf("host %s removes host %s from its list of members", s.Host, s.Of)
	}
	return ""
}

// Command is the command of Docker that does the same on the step's host.
func (s Step) Command() string {
	words := []string{"docker", "swarm", string(s.Do)}
	if s.Advertise != "" {
		words = append(words, "--advertise-addr", s.Advertise)
	}
	switch s.Do {
	case ActInit:
	case ActJoin:
		manager := s.Manager
		if manager == "" {
			manager = "MANAGER:" + port
		}
		words = append(words, "--token", hidden, manager)
	case ActLeave:
		if s.Force {
			words = append(words, "--force")
		}
	case ActForget:
		return "docker node rm --force " + s.Member
	}
	return strings.Join(words, " ")
}

// Init plans that all hosts are members of one swarm: a new one of the first host, or the one
// that a host manages already. A host that does not answer, one in a swarm that no host manages,
// and two swarms are refused.
func Init(hosts []Host) (Plan, error) {
	if len(hosts) == 0 {
		return Plan{}, errors.New("no hosts are named")
	}
	manager, err := managerOf(hosts)
	if err != nil {
		return Plan{}, err
	}
	var plan Plan
	if manager == nil {
		manager = &hosts[0]
		if err := absent(hosts); err != nil {
			return Plan{}, err
		}
		plan.Steps = append(plan.Steps, Step{Host: manager.Name, Do: ActInit, Advertise: manager.Advertise})
	}
	joins, err := joins(hosts, *manager, nil)
	return Plan{append(plan.Steps, joins...)}, err
}

// Join plans that the named hosts join the swarm that another host manages.
func Join(hosts []Host, names []string) (Plan, error) {
	if err := known(hosts, names); err != nil {
		return Plan{}, err
	}
	manager, err := managerOf(hosts)
	if err != nil {
		return Plan{}, err
	}
	if manager == nil {
		return Plan{}, orchestrator.WithHint(fmt.Errorf("none of the hosts %s manages a swarm: %w", list(hosts), orchestrator.ErrNoSwarm), "%s", hint.Machines.With("init"))
	}
	steps, err := joins(hosts, *manager, names)
	return Plan{steps}, err
}

// joins plans that hosts, all or the named ones, join the swarm of a manager.
func joins(hosts []Host, manager Host, names []string) ([]Step, error) {
	var steps []Step
	for _, h := range hosts {
		if h.Name == manager.Name || len(names) > 0 && !slices.Contains(names, h.Name) || memberOf(manager, h) {
			continue
		}
		switch {
		case h.Err != nil:
			return nil, unreachable(h)
		case h.State.In():
			return nil, elsewhere(h, manager)
		}
		step := Step{Host: h.Name, Do: ActJoin, Advertise: h.Advertise, Via: manager.Name}
		if manager.State.Manager {
			step.Manager = manager.State.listens()
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// managerOf returns the host that manages the swarm of the hosts, or nil if none manages one. It
// is an error if two hosts manage two swarms.
func managerOf(hosts []Host) (*Host, error) {
	var found *Host
	for i, h := range hosts {
		if h.Err != nil || !h.State.Manager || h.State.Phase != Active {
			continue
		}
		if found == nil {
			found = &hosts[i]
		} else if !memberOf(*found, h) {
			return nil, elsewhere(h, *found)
		}
	}
	return found, nil
}

// memberOf reports whether a host is a member of the swarm of a manager.
func memberOf(manager, h Host) bool {
	return h.State.Node != "" && slices.ContainsFunc(manager.State.Members, func(m Member) bool { return m.ID == h.State.Node })
}

// absent returns an error for a host that is in a swarm, where no host manages one.
func absent(hosts []Host) error {
	for _, h := range hosts {
		switch {
		case h.Err != nil:
			return unreachable(h)
		case h.State.Phase == Locked:
			return orchestrator.WithHint(fmt.Errorf("the swarm of host %s is locked", h.Name), "on %s: docker swarm unlock", h.Name)
		case h.State.In():
			return elsewhere(h, Host{})
		}
	}
	return nil
}

// elsewhere is the error for a host in a swarm that is not the manager's.
func elsewhere(h, manager Host) error {
	what := "another swarm than host " + manager.Name
	if manager.Name == "" {
		what = "a swarm that none of the hosts manages"
	}
	if len(h.State.Known) > 0 {
		what += ", with the manager " + strings.Join(h.State.Known, ", ")
	}
	if h.State.Problem != "" {
		what += " (" + h.State.Problem + ")"
	}
	return orchestrator.WithHint(fmt.Errorf("host %s is in %s (%s)", h.Name, what, h.State.Phase),
		"name the host that manages it, too: --hosts …\nor, if nothing needs that swarm, on %s: docker swarm leave", h.Name)
}

func unreachable(h Host) error {
	return orchestrator.WithHint(fmt.Errorf("host %s: %w", h.Name, h.Err), "see all hosts: %s", hint.Machines.With("ls"))
}

// known returns an error for a name that no host has.
func known(hosts []Host, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(hosts, func(h Host) bool { return h.Name == name }) {
			return orchestrator.WithHint(fmt.Errorf("%s is not one of the hosts: %s", name, list(hosts)), "%s", hint.Machines.With("ls"))
		}
	}
	return nil
}

func list(hosts []Host) string {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return strings.Join(names, ", ")
}
