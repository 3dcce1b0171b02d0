package diagnosis

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Wait is what a node lacked when its run ended, if time can provide it: a service that
// does not answer yet, a name that is not registered yet, a process on another node. BEAM
// applications wait for such things by crashing, and rely on being restarted.
type Wait struct {
	// For is what it tried to reach: "db:5432", "app@n1.demo.test"; "" if unknown.
	For string
	// Why the attempt failed: "connection refused".
	Why string
	// Kind of what it waits for.
	Kind WaitKind
	// Line is the line of output that shows it.
	Line string
}

// WaitKind is the kind of what a node waits for.
type WaitKind string

// The kinds of waits.
const (
	WaitService WaitKind = "service" // a service that listens
	WaitName    WaitKind = "name"    // a name server that knows the host
	WaitPeer    WaitKind = "peer"    // another Erlang node, or a process there
)

// String formats the wait in a few words: "db:5432: connection refused".
func (w Wait) String() string {
	if w.For == "" {
		return w.Why
	}
	return w.For + ": " + w.Why
}

// Local reports whether it tried to reach a service on localhost, which in a container is
// the container itself.
func (w Wait) Local() bool { return w.Kind == WaitService && isLocal(w.For) }

func isLocal(address string) bool {
	host := address
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		host = strings.Trim(address[:i], "[]")
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// waits are the words of libraries and of the VM for what time can cure, the most
// telling first. Recorded on OTP 25 (Elixir 1.14) and 27 (Elixir 1.18), or read in the
// source of the library that is named.
var waits = []struct {
	says *regexp.Regexp
	why  string
	kind WaitKind
}{
	// GenServer.call/3 and gen_server:call/3 of a node that is not connected.
	{pattern(`no connection to ([\w.-]+@[\w.-]+)`), "no connection", WaitPeer},
	{pattern(`\bnodedown\b|\{:?erpc, ?:?noconnection\}|:noconnection\b|\bnode_not_running\b|failed_to_connect_node`), "no connection", WaitPeer},
	{pattern(`\bnxdomain\b|non-existing domain|[Nn]ame or service not known|[Tt]emporary failure in name resolution|[Cc]ould not resolve host|\beai_again\b`), "no such host", WaitName},
	{pattern(`(?i)\beconnrefused\b|connection refused`), "connection refused", WaitService},
	{pattern(`(?i)\behostunreach\b|no route to host|host is unreachable|\behostdown\b|host is down`), "no route to host", WaitService},
	{pattern(`(?i)\benetunreach\b|network is unreachable`), "the network is unreachable", WaitService},
	// Postgres, Redis, Kafka while they come up; MySQL and Postgres when full.
	{pattern(`cannot_connect_now|database system is (?:starting up|shutting down|in recovery|not yet accepting)|LOADING Redis|MASTERDOWN|CLUSTERDOWN|(?i:(?:leader|coordinator)_not_available)`), "it is starting up", WaitService},
	{pattern(`too_many_connections|[Tt]oo many connections|remaining connection slots`), "it has too many connections", WaitService},
	// rabbit_table and mnesia:wait_for_tables/2: {timeout, Tables}.
	{pattern(`timeout_waiting_for_tables|\{:?timeout, ?\[:?[\w', :.]+\]\}`), "timeout: tables that other nodes have", WaitPeer},
	{pattern(`connection not available and request was dropped from queue`), "no connection in time", WaitService},
	{pattern(`(?i)\beconnreset\b|connection reset by peer|\beconnaborted\b|\b(?:tcp|ssl)_closed\b|(?:tcp|ssl) (?:recv|send|connect)(?: \([^)]*\))?: closed|\{:?error, ?:?closed\}|connection (?:was |is )?closed`), "connection closed", WaitService},
	{pattern(`\(EXIT\) time out|TransportError\) timeout|\betimedout\b|(?i:timed out)|(?i:connect(?:ion)? timeout)|\{:?timeout,|[:{,] ?'?timeout'?[})\]]|: :timeout$|:timeout\b[^:]*$`), "timeout", WaitService},
	// db_connection's generic error; one about TLS options is a bad value.
	{pattern(`\*\* \(DBConnection\.ConnectionError\) tcp connect`), "it does not connect", WaitService},
}

// noProcess is a call of a process that is not there, which time cures where it is
// another node's: one's own is a mistake in the order of children.
var (
	noProcess  = pattern(`\(EXIT\) no process|\{:?noproc\b`)
	remoteCall = pattern(`\{:?'?[\w.:"]+'?, ?:?["']?([\w.-]+@[\w.-]+)["']?\}`)
	beamName   = pattern(`([\w-]+@[\w-]+(?:\.[\w-]+)*)`)
)

// WaitsFor determines from the last output of a run whether it ended because something
// was missing that time can provide, and what. self is the run's BEAM name: a wait for
// its own processes does not count.
func WaitsFor(lines []orchestrator.Line, self string) (Wait, bool) {
	if slices.ContainsFunc(lines, func(l orchestrator.Line) bool { return registers.MatchString(l.Text) }) {
		return Wait{}, false // EPMD's port or the distribution's own: see epmd-not-running
	}
	for _, block := range lastWords(lines) {
		if w, ok := waitIn(block, self); ok {
			return w, true
		}
	}
	return Wait{}, false
}

func waitIn(block []string, self string) (Wait, bool) {
	peer := calledPeer(block, self)
	for _, known := range waits {
		for i := len(block) - 1; i >= 0; i-- {
			groups := known.says.FindStringSubmatch(block[i])
			if groups == nil {
				continue
			}
			w := Wait{Why: known.why, Kind: known.kind, Line: strings.TrimSpace(block[i])}
			switch {
			case len(groups) > 1:
				w.For = groups[1]
			case known.kind == WaitPeer:
				w.For = cmp.Or(peer, otherName(block, self))
			default:
				w.For = addressIn(block[i])
				if w.For == "" {
					w.For = addressIn(strings.Join(block, "\n"))
				}
			}
			if w.For == "" && peer != "" {
				w.For, w.Kind = peer, WaitPeer
			}
			return w, true
		}
	}
	for i := len(block) - 1; i >= 0 && peer != ""; i-- {
		if noProcess.MatchString(block[i]) {
			return Wait{For: peer, Why: "no such process there", Kind: WaitPeer, Line: strings.TrimSpace(block[i])}, true
		}
	}
	return Wait{}, false
}

// calledPeer is the node of a call to a name on another node: {Shop.Seed, :"app@n1.demo.test"}.
func calledPeer(block []string, self string) string {
	for _, line := range block {
		if groups := remoteCall.FindStringSubmatch(line); groups != nil && groups[1] != self {
			return groups[1]
		}
	}
	return ""
}

// otherName is the first node that a text names beside the one that says it.
func otherName(block []string, self string) string {
	for _, name := range beamName.FindAllString(strings.Join(block, "\n"), -1) {
		if name != self {
			return name
		}
	}
	return ""
}

// addresses of a service, as libraries print them: host:port, "host", port and
// {to_address, {"host", port}}, and the tuple of an address.
var (
	hostAndPort = pattern(`(?:^|[^\w.@/-])(?:\w+://(?:[^\s@/]*@)?)?(\[[0-9a-f:]+\]|[A-Za-z0-9_][\w.-]*|::1):(\d{2,5})\b([@.\w]?)`)
	quotedHost  = pattern(`["']([A-Za-z0-9][\w.-]*)\\?["'],? ?(?:port )?(\d{2,5})\b`)
	tupleHost   = pattern(`\{(\d{1,3}), ?(\d{1,3}), ?(\d{1,3}), ?(\d{1,3})\}, ?(\d{2,5})\b`)
	sourceFile  = pattern(`\.(?:exs?|erl|eex|heex|hrl)$`)
	clockTime   = pattern(`^\d{1,2}$`)
)

func addressIn(text string) string {
	if g := tupleHost.FindStringSubmatch(text); g != nil {
		return strings.Join(g[1:5], ".") + ":" + g[5]
	}
	if g := quotedHost.FindStringSubmatch(text); g != nil {
		return g[1] + ":" + g[2]
	}
	for _, g := range hostAndPort.FindAllStringSubmatch(text, -1) {
		if g[3] == "" && !sourceFile.MatchString(g[1]) && !clockTime.MatchString(g[1]) {
			return g[1] + ":" + g[2]
		}
	}
	return ""
}

// endings begin what a VM or an application says of its end. Errors that are logged
// on the way begin otherwise: they may be of something that is tried again.
var (
	endings     = pattern(`Could not start application|Application \S+ exited: [^:\s]|Kernel pid terminated|[Tt]erminating during boot|init terminating in do_boot|application_start_failure|BOOT FAILED|Config provider \S+ failed`)
	registers   = pattern(`register/listen error|Protocol '\w+'`)
	exceptions  = pattern(`^\*\* \(`)
	noAnchor    = 5  // lines that are looked at where none of them begins an end
	blockLength = 60 // lines of an end at most
)

// lastWords are the blocks in which a run says why it ended: first that of the Logger
// (stdout), which prints an exception as such, then the VM's own; else the last
// exception, or its last lines.
func lastWords(lines []orchestrator.Line) [][]string {
	texts := map[orchestrator.Stream][]string{}
	for _, l := range lines {
		texts[l.Stream] = append(texts[l.Stream], l.Text)
	}
	var blocks [][]string
	for _, stream := range []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr} {
		if block := lastBlock(texts[stream], endings); block != nil {
			blocks = append(blocks, block)
		}
	}
	for _, stream := range []orchestrator.Stream{orchestrator.Stderr, orchestrator.Stdout} {
		if block := lastBlock(texts[stream], exceptions); block != nil && len(blocks) == 0 {
			blocks = append(blocks, block)
		}
	}
	if len(blocks) > 0 {
		return blocks
	}
	for _, stream := range []orchestrator.Stream{orchestrator.Stderr, orchestrator.Stdout} {
		text := texts[stream]
		blocks = append(blocks, text[max(0, len(text)-noAnchor):])
	}
	return blocks
}

// lastBlock is the last line that begins one and those that belong to it: they are
// further in, empty, or exceptions.
func lastBlock(lines []string, begins *regexp.Regexp) []string {
	for i := len(lines) - 1; i >= 0; i-- {
		if !begins.MatchString(lines[i]) {
			continue
		}
		end := i + 1
		for end < len(lines) && end-i < blockLength && (lines[end] == "" || lines[end][0] == ' ' || lines[end][0] == '=' || strings.HasPrefix(lines[end], "** (")) {
			end++
		}
		return lines[i:end]
	}
	return nil
}
