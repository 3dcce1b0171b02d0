package swarm

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// Machine is what this package asks of the engine of one host.
type Machine interface {
	// Swarm returns the engine's membership of a swarm. Sources: GET /info, /nodes, /services,
	// /networks, /containers/json.
	Swarm(ctx context.Context) (State, error)
	// InitSwarm makes the engine the manager of a new swarm. advertise is the address at which
	// the other members reach it; "" lets the engine choose. Source: POST /swarm/init.
	InitSwarm(ctx context.Context, advertise string) error
	// WorkerToken returns the secret with which workers join. Source: GET /swarm.
	WorkerToken(ctx context.Context) (Token, error)
	// JoinSwarm makes the engine a worker of the swarm of a manager, given by its address with
	// its port. Source: POST /swarm/join.
	JoinSwarm(ctx context.Context, advertise, manager string, t Token) error
	// LeaveSwarm takes the engine out of its swarm. A manager leaves only with force. Source:
	// POST /swarm/leave.
	LeaveSwarm(ctx context.Context, force bool) error
	// RemoveMember removes a member that has left from the list of a manager. A missing one is
	// not an error. Source: DELETE /nodes/{id}.
	RemoveMember(ctx context.Context, id string) error
}

// Token is a secret with which a machine joins a swarm. Every way to print it gives "[secret]".
type Token struct{ secret string }

// NewToken returns the token of an engine's answer.
func NewToken(secret string) Token { return Token{secret} }

// Secret returns the token itself, for the engine that joins.
func (t Token) Secret() string { return t.secret }

const hidden = "[secret]"

// String returns "[secret]".
func (Token) String() string { return hidden }

// GoString returns "[secret]".
func (Token) GoString() string { return hidden }

// MarshalText returns "[secret]".
func (Token) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Phase is the state of an engine's membership, in Docker's words. Source: GET /info,
// Swarm.LocalNodeState.
type Phase string

// The phases.
const (
	Inactive Phase = "inactive" // in no swarm
	Pending  Phase = "pending"  // joining, or waiting for its manager
	Active   Phase = "active"
	Failed   Phase = "error"
	Locked   Phase = "locked" // its manager's key is needed: docker swarm unlock
)

// State is an engine's membership of a swarm.
type State struct {
	Phase   Phase
	Problem string // the engine's own text, if Phase is Failed
	Node    string // the engine's ID in the swarm
	Manager bool
	Address string   // at which other members reach it
	Known   []string // addresses of managers, with ports

	// What a manager knows.
	Members  []Member
	Services int

	// Users are the containers of this host on overlay networks, and the tasks of services.
	Users []User
	// Clusters are the clusters with an overlay network that this host knows, sorted.
	Clusters []string
}

// In reports whether the engine is in a swarm, whatever its phase.
func (s State) In() bool { return s.Phase != Inactive && s.Phase != "" }

// listens returns the address with the port at which a manager lets others join: it may be another
// port than the default.
func (s State) listens() string {
	for _, at := range s.Known {
		if host, _, err := net.SplitHostPort(at); err == nil && host == s.Address {
			return at
		}
	}
	return net.JoinHostPort(s.Address, port)
}

// Member is a member of a swarm, as its manager lists it.
type Member struct {
	ID, Hostname, Address string
	Manager               bool
	State                 string // "ready", "down", "disconnected", "unknown"
	Availability          string // "active", "pause", "drain"
}

// User is a container that uses the swarm.
type User struct {
	Container string
	Cluster   string // of Beamyard, "" if none
	Service   string // whose task it is, "" if none
}

// Host is a machine with the state of its engine.
type Host struct {
	Name      string
	State     State
	Err       error  // why the state is unknown; nil if it is known
	Advertise string // the address at which other members can reach it; "" lets the engine choose
}

// Look asks all machines at once, each for the given time at most. The hosts are sorted by name.
func Look(ctx context.Context, machines map[string]Machine, patience time.Duration) []Host {
	names := slices.Sorted(maps.Keys(machines))
	hosts := make([]Host, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() {
			asking, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			hosts[i].Name = name
			hosts[i].State, hosts[i].Err = machines[name].Swarm(asking)
		})
	}
	group.Wait()
	return hosts
}
