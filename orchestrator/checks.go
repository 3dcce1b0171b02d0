package orchestrator

import (
	"fmt"
	"regexp"
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

func (s Spec) validateChecks(v *validation) {
	names := map[string]string{}
	for i, k := range s.Checks {
		field := fmt.Sprintf("checks[%d]", i)
		s.validateCheck(v, field, k, names)
		if k.Log != "" {
			v.add(field+".log", "nobody repeats what a line said once", "put it into ready:")
		}
	}
	for i, k := range s.Ready {
		s.validateCheck(v, fmt.Sprintf("ready[%d]", i), k, names)
	}
	s.validateNodeChecks(v)
	for key, text := range s.Health.Problems() {
		v.add("health."+key, text, "leave it out for the default")
	}
}

// validateCheck checks one; names are those of the checks before it.
func (s Spec) validateCheck(v *validation, field string, k Check, names map[string]string) {
	kinds := 0
	for _, given := range []bool{k.HTTP != "", k.RPC != "", k.Erlang != "", len(k.Exec) > 0, k.Log != ""} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		v.add(field, fmt.Sprintf("it has %d of http, rpc, erlang, exec and log, one is needed", kinds), `checks: [{name: db, rpc: "Shop.Repo.ready?()"}]`)
	}
	if k.HTTP != "" && !strings.HasPrefix(k.HTTP, "/") {
		v.add(field+".http", fmt.Sprintf("%q is no path", k.HTTP), "http: /health")
	}
	if k.HTTP != "" && k.Port == 0 && !s.hasHTTP(k) {
		v.add(field+".http", "no node that it is asked of has an HTTP port", "set its port:, or http_port, or use another kind of check")
	}
	if k.Port != 0 && k.HTTP == "" {
		v.add(field+".port", "only an http check has a port", "leave it out")
	}
	v.port(field+".port", k.Port, true)
	if k.Expect != "" && k.RPC == "" && k.Erlang == "" {
		v.add(field+".expect", "only rpc and erlang checks have a value to expect", "leave it out")
	}
	if _, err := regexp.Compile(k.Log); err != nil {
		v.add(field+".log", err.Error(), `log: "Server startup complete"`)
	}
	if k.Timeout < 0 {
		v.add(field+".timeout", fmt.Sprintf("%s is negative", k.Timeout), "timeout: 5s")
	}
	for _, n := range k.Nodes {
		if len(s.named(n)) == 0 {
			v.add(field+".nodes", fmt.Sprintf("%q is no node of the cluster", n), s.choice(n, "list names of nodes or roles, or leave it out for all: "))
		}
	}
	if first, twice := names[k.String()]; twice {
		v.add(field+".name", fmt.Sprintf("%q is also the name of %s", k, first), "give every check a name of its own")
	}
	names[k.String()] = field
}
