package diagnosis

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/releasefile"
)

// Evidence is what is known about a cluster with a problem. The zero value of every field
// means that nothing is known.
type Evidence struct {
	// Spec declares the cluster. A rule about a node gets it with the settings of that node.
	Spec orchestrator.Spec
	// ImageArch and EngineArch are the architectures of the image and of the engine's
	// machine, as in GOARCH: "amd64".
	ImageArch, EngineArch string

	// Absent means that nothing can be inspected on the engine: the cluster failed to
	// form and was removed, or was never created. Commands that inspect it are not
	// suggested then.
	Absent bool

	// Error is the error that ended the whole cluster before there was any node. Kind is
	// its kind, if it has a named one.
	Error string
	Kind  Kind
	Hint  hint.Hint // the hint of that error

	Nodes []Node

	Faults     []Fault     // the faults in force
	Duplicates []Duplicate // the names of global's that several nodes have a process for
}

// Fault is a fault that is in force: "f1a2 (partition n1 | the rest, drop)".
type Fault struct{ ID, Text string }

// Duplicate is a name of global's that each of some nodes has for a process of its own.
type Duplicate struct {
	Name  string // as Erlang writes it
	Nodes []string
}

// Kind names an error that is recognized by its type rather than by its text.
type Kind string

// The kinds of errors.
const (
	KindEngineUnreachable Kind = "engine-unreachable"
	KindEnginePermission  Kind = "engine-permission"
	KindEngineTooOld      Kind = "engine-too-old"
	KindNoImage           Kind = "no-image"
	KindNoRegistry        Kind = "no-registry"
	KindPortTaken         Kind = "port-taken"
	KindAddressPool       Kind = "address-pool"
	KindSubnetOverlap     Kind = "subnet-overlap"
	KindNameTaken         Kind = "name-taken"
	KindUlimit            Kind = "ulimit"
	KindCannotStart       Kind = "cannot-start"
	KindBuild             Kind = "build" // of an image: the error contains Mix's output
)

// Known reports whether the kind is one of those above.
func (k Kind) Known() bool {
	switch k {
	case KindEngineUnreachable, KindEnginePermission, KindEngineTooOld, KindNoImage, KindNoRegistry, KindPortTaken, KindAddressPool,
		KindSubnetOverlap, KindNameTaken, KindUlimit, KindCannotStart, KindBuild:
		return true
	}
	return false
}

// at is the evidence with the spec as it is for a node.
func (e *Evidence) at(n *Node) *Evidence {
	own, node := *e, e.Spec.Node(n.Name)
	s := &own.Spec
	s.App, s.Release, s.HTTPPort, s.HTTPCheck, s.Memory = node.App, s.RunsRelease(node), node.HTTPPort, node.HTTPCheck, node.Memory
	if s.Source != "" || s.File != "" { // else the image is what is started again
		s.Image = node.Image
	}
	return &own
}

// app is the application that must be started; "" if there is none.
func (e *Evidence) app() string {
	if e.Spec.App == "-" {
		return ""
	}
	return e.Spec.App
}

func (e *Evidence) shortNames() bool {
	return e.Spec.Distribution.Names == orchestrator.ShortNames
}

// Node is what is known about one node.
type Node struct {
	Name      string // short: "n1"
	BEAM      string // "app@n1.demo.test"
	Host      string // "n1.demo.test"
	IP        string // in the cluster's network
	Container string // its name
	State     orchestrator.State
	WasReady  bool // it was Ready in this run
	Young     bool // it started to boot so recently that what it lacks may still come
	Late      bool // it was Ready once, or its time to boot is over: what is missing will not come
	Paused    bool
	Command   []string // command of the container
	// Entrypoint is the image's own, which receives the command; nil if there is none, or
	// if the spec replaces it.
	Entrypoint []string
	Env        map[string]string

	// Reason is the supervisor's reason for the node's state.
	Reason string
	// StartError is why its container could not be created or started, with the error's
	// kind and hint.
	StartError string
	Kind       Kind
	Hint       hint.Hint

	// Exit is how its run ended; nil if it has not ended, or could not begin.
	Exit *orchestrator.Exit
	// Lines of its present or last run, oldest first, that can show a cause: not those
	// from the time when the node was healthy.
	Lines    []orchestrator.Line
	Dump     *Dump
	DumpPath string // path of the dump in its container

	// Contact is the result of the last attempt to reach it over the distribution.
	Contact Contact
	// Answered is the name of the node that answered, if it was another node.
	Answered string
	// Knew means that this run once accepted the cluster's cookie, and CookieChanged that
	// it now has another cookie.
	Knew, CookieChanged bool

	// Twice are flags that its VM received twice, with different values, and which did
	// not stop it.
	Twice []string

	// Settings are the settings in files of its image that override what it is given.
	Settings []releasefile.Setting

	// AppDown means that the VM answers but its application is not started.
	AppDown bool

	// Peers are the nodes that it is connected to.
	Peers []string
	// Missing are the peers that it must be connected to but is not, with the reason if
	// known.
	Missing map[string]string

	Live *Live
}

// well reports whether it has no problem now.
func (n *Node) well() bool { return n.State == orchestrator.Ready && len(n.Missing) == 0 }

// Contact is the result of an attempt to reach a node.
type Contact string

// The results. The zero value means that there was no attempt, or that the node answered.
const (
	ContactRefused     Contact = "refused"      // its distribution port has no listener
	ContactWrongCookie Contact = "wrong-cookie" //
	ContactWrongName   Contact = "wrong-name"   // another name than the one expected
	ContactTLS         Contact = "tls"          // it speaks TLS
	ContactSilent      Contact = "silent"       // no answer in time, or unreachable
	ContactOther       Contact = "other"        // not the distribution protocol, or not allowed
)

// Live is what was observed inside a running container.
type Live struct {
	Looked    bool  // Listening is known
	Listening []int // TCP ports with a listener
	Loopback  []int // those of them that are reachable only from inside the container
	// VMs are the BEAMs that run in it. First is what runs in its main process, or in the
	// first process that its init started, and Last what started last.
	VMs         []VM
	First, Last []string
	// Registered are the nodes that its EPMD knows: their distribution ports, by the part
	// of the name before the @.
	Registered map[string]int

	Encoding string // file name encoding: "utf8", "latin1"
	Heart    bool   // heart watches the VM
	// MnesiaApart are connected nodes with which its Mnesia does not work.
	MnesiaApart []string
	// MnesiaKept are the nodes whose tables are best kept then, and MnesiaRestarted those
	// that have to load them.
	MnesiaKept, MnesiaRestarted []string
	GlobalStuck                 string        // what its global waits for; "" if it is not stuck
	Skew                        time.Duration // its clock compared with ours; positive if it is ahead
	Attached                    *bool         // to the cluster's network; nil if unknown
}

// Dump is the content of a crash dump.
type Dump struct {
	Slogan string
	Memory int64       // total memory of the VM in bytes, 0 if unknown
	Top    []DumpEntry // the largest processes, at most five
}

// DumpEntry is a process in a crash dump.
type DumpEntry struct {
	PID    string // "<0.44.0>"
	Name   string // registered name, or the function that it was spawned with
	Memory int64  // bytes
	Queue  int    // length of its message queue
}
