package diagnosis

import "time"

// Evidence is what is known of a cluster that is not as it should be. The zero
// value of every field means that nothing is known.
type Evidence struct {
	Cluster string // its name
	Source  string // what its nodes run, as `beamyard up` takes it
	File    string // the beamyard.yml that says so, where `beamyard up` needs to be told
	Image   string
	App     string // that must be started
	// ImageArch and EngineArch are the processors that the image is for and that the
	// engine's machine has, as Go names them: "amd64".
	ImageArch, EngineArch string
	MeshApp               bool // the application connects the nodes, not Beamyard
	Release               bool // the nodes run a `mix release`

	// Absent says that nothing can be looked at on the engine: the cluster failed
	// to form and is removed, or was never made. Commands that look into it are
	// not proposed then.
	Absent bool

	ShortNames bool   // BEAM names are short ones
	CookieFile string // in the container, where the cookie is written to a file
	EPMD       bool   // its nodes are found by EPMD
	DistPort   int
	HTTPPort   int
	HTTPCheck  string

	// Error is what ended the whole, before there was any node. Kind is its kind,
	// where it is one that has a name.
	Error string
	Kind  Kind
	Hint  string // the advice that came with it

	Nodes []Node
}

// Kind names an error that is known by its type, whatever its words.
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
	KindBuild             Kind = "build" // of an image: Mix's words are in the error
)

// Runs is what a node runs and serves: in the evidence, what the cluster's nodes do.
type Runs struct {
	Image, App string
	Release    bool
	HTTPPort   int
	HTTPCheck  string
}

// at is the evidence as it is for a node.
func (e *Evidence) at(n *Node) *Evidence {
	if n.Runs == nil {
		return e
	}
	own := *e
	own.App, own.Release, own.HTTPPort, own.HTTPCheck = n.Runs.App, n.Runs.Release, n.Runs.HTTPPort, n.Runs.HTTPCheck
	if own.Source != "" || own.File != "" { // else the image is what is started again
		own.Image = n.Runs.Image
	}
	return &own
}

// Node is what is known of one node.
type Node struct {
	Name      string // short: "n1"
	BEAM      string // "app@n1.demo.test"
	Host      string // "n1.demo.test"
	IP        string // in the cluster's network
	Container string // its name
	Ready     bool   // nothing is wrong with it now
	WasReady  bool   // this run of it was
	Young     bool   // it has begun its boot so lately that what it lacks may be on its way
	Late      bool   // it was Ready once, or had all the time that there is for it: what is not there will not come
	Running   bool   // its container runs
	Paused    bool
	Command   []string // as the container was told to run
	// Entrypoint is the image's own, which the command is given to; nil where there is
	// none, or the spec has one in its place.
	Entrypoint []string
	// Runs is what this node runs in place of what the cluster's others run; nil: the same.
	Runs        *Runs
	Stdin       bool // its standard input is kept open
	Env         map[string]string
	Memory      int64         // the container's limit in bytes, 0 for none
	StopTimeout time.Duration // of a stop

	// Reason is what its supervisor says of its state.
	Reason string
	// StartError is why its container could not be made or started, with its kind
	// and the advice that came with it.
	StartError string
	Kind       Kind
	Hint       string

	Exit *Exit
	// Lines of its present or last run, oldest first, in which a cause may stand:
	// not those from when all was well.
	Lines    []Line
	Dump     *Dump
	DumpPath string // where in its container that is

	// Contact is how the last attempt to reach it over the distribution ended.
	Contact Contact
	// Answered is the name of the node that answered, where it was another one.
	Answered string
	// Knew says that this run took the cluster's cookie once, and CookieChanged that it
	// has another one now.
	Knew, CookieChanged bool

	// Twice are flags that its VM was given twice, with different values, and runs all
	// the same.
	Twice []string

	// Settings are what files of its image set over what it is given.
	Settings []Setting

	// AppDown says that the VM answers and its application is not started.
	AppDown bool

	// Peers are the nodes that it sees.
	Peers []string
	// Missing are the peers that it must be connected to and is not, with why,
	// where that is known.
	Missing map[string]string

	Live *Live
}

// Exit is how a run ended.
type Exit struct {
	Class string // as orchestrator.ExitClass has it: "oom", "killed", …
	Code  int
}

// Line is a line of output.
type Line struct {
	Stream string // "stdout" or "stderr"
	Text   string
}

// Contact says how an attempt to reach a node ended.
type Contact string

// The outcomes. The zero value is that nobody tried, or that it answered.
const (
	ContactRefused     Contact = "refused"      // nothing listens on its distribution port
	ContactWrongCookie Contact = "wrong-cookie" //
	ContactWrongName   Contact = "wrong-name"   // another name than the one expected
	ContactTLS         Contact = "tls"          // it speaks TLS
	ContactSilent      Contact = "silent"       // no answer in time, or unreachable
	ContactOther       Contact = "other"        // not the distribution protocol, or not allowed
)

// Live is what was seen inside a container that runs.
type Live struct {
	Looked    bool  // Listening is known
	Listening []int // TCP ports that something listens on
	Loopback  []int // those of them that only the container itself reaches
	// VMs are the BEAMs that run in it; First is what its first process, or the first
	// that its init has started, runs, and Last what began last.
	VMs         []VM
	First, Last []string
	// Registered are the nodes that its EPMD knows: their distribution ports, by the
	// part of the name before the @.
	Registered map[string]int

	Encoding string // of file names: "utf8", "latin1"
	Heart    bool   // heart watches the VM
	// MnesiaApart are connected nodes with which its Mnesia does not work.
	MnesiaApart []string
	GlobalStuck string        // what its global waits for; "": it is well
	Skew        time.Duration // of its clock against ours; positive: it is ahead
	Attached    *bool         // to the cluster's network; nil: not known
}

// Dump is what a crash dump says.
type Dump struct {
	Slogan string
	Memory int64       // bytes that the VM had in all, 0 where it does not say
	Top    []DumpEntry // the largest processes, at most five
}

// DumpEntry is a process in a crash dump.
type DumpEntry struct {
	PID    string // "<0.44.0>"
	Name   string // registered, or what it was spawned as
	Memory int64  // bytes
	Queue  int    // messages that waited
}
