package orchestrator

import (
	"slices"
	"strings"
	"time"
)

// Check is one of a cluster's own checks: a node is Ready only when it passes
// there, and `beamyard health` repeats it, but for those of [Spec].Ready. Exactly
// one of HTTP, RPC, Erlang, Exec and Log is set. At rest only those by RPC and
// Erlang are repeated: requests would fill the application's log, and a command
// costs the container a process.
type Check struct {
	// Name of the check. Default: what it does.
	Name string `json:"name,omitempty"`
	// HTTP is a path on the node's HTTP port that must answer 2xx or 3xx.
	HTTP string `json:"http,omitempty"`
	// Port inside the container that HTTP is asked on. Default: the HTTP port.
	Port int `json:"port,omitempty"`
	// RPC is an Elixir expression that is evaluated on the node. Its value must
	// be Expect, or where that is "", neither nil nor false.
	RPC string `json:"rpc,omitempty"`
	// Erlang is an Erlang expression that is evaluated on the node, which needs no
	// Elixir: "rabbit:is_running()". Its value must be Expect, or where that is "",
	// none of false, undefined, error and {error, …}.
	Erlang string `json:"erlang,omitempty"`
	// Expect is the value of RPC as `inspect` prints it: "{:ok, 1}"; or that of
	// Erlang as ~0p does: "{ok,1}".
	Expect string `json:"expect,omitempty"`
	// Exec is a command in the container that must end with 0. There is no shell
	// around it: ["sh", "-c", "…"] asks for one.
	Exec []string `json:"exec,omitempty"`
	// Log is a regular expression (RE2) that a line of the present run must match,
	// whenever it was printed. Only in [Spec].Ready; of a run that another
	// supervisor began it is not asked, as its lines may be gone.
	Log string `json:"log,omitempty"`
	// Timeout of one attempt. Default 5 s.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Nodes that it is asked of, by short name or role. Empty: all. A check by HTTP
	// without a Port is asked of those of them that have an HTTP port.
	Nodes []string `json:"nodes,omitempty"`
}

// defaultCheckTimeout is that of a [Check].
const defaultCheckTimeout = 5 * time.Second

// String is the check's name.
func (k Check) String() string {
	switch {
	case k.Name != "":
		return k.Name
	case k.HTTP != "":
		return "http " + k.HTTP
	case k.RPC != "":
		return "rpc " + shortened(k.RPC, 40)
	case k.Erlang != "":
		return "erlang " + shortened(k.Erlang, 40)
	case k.Log != "":
		return "log " + shortened(k.Log, 40)
	}
	return "exec " + shortened(strings.Join(k.Exec, " "), 40)
}

// on reports whether a check is asked of a node.
func (k Check) on(n NodeSpec) bool {
	return len(k.Nodes) == 0 || slices.Contains(k.Nodes, n.Name) || n.Role != "" && slices.Contains(k.Nodes, n.Role)
}

func (k Check) timeout() time.Duration {
	if k.Timeout > 0 {
		return k.Timeout
	}
	return defaultCheckTimeout
}

// shortened is the text in one line of at most n characters.
func shortened(text string, n int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
