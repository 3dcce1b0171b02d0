package orchestrator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check is one of a cluster's own checks: a node is Ready only when it passes
// there, and `beamyard health` repeats it. Exactly one of HTTP, RPC and Exec is
// set. At rest only those by RPC are repeated: requests would fill the
// application's log, and a command costs the container a process.
type Check struct {
	// Name of the check. Default: what it does.
	Name string `json:"name,omitempty"`
	// HTTP is a path on the node's HTTP port that must answer 2xx or 3xx.
	HTTP string `json:"http,omitempty"`
	// RPC is an Elixir expression that is evaluated on the node. Its value must
	// be Expect, or where that is "", neither nil nor false.
	RPC string `json:"rpc,omitempty"`
	// Expect is the value of RPC as `inspect` prints it: "{:ok, 1}".
	Expect string `json:"expect,omitempty"`
	// Exec is a command in the container that must end with 0. There is no shell
	// around it: ["sh", "-c", "…"] asks for one.
	Exec []string `json:"exec,omitempty"`
	// Timeout of one attempt. Default 5 s.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Nodes that it is asked of, by short name. Empty: all.
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
	}
	return "exec " + shortened(strings.Join(k.Exec, " "), 40)
}

func (k Check) on(node string) bool { return len(k.Nodes) == 0 || slices.Contains(k.Nodes, node) }

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
	names := map[string]int{}
	for i, k := range s.Checks {
		field := fmt.Sprintf("checks[%d]", i)
		kinds := 0
		for _, given := range []bool{k.HTTP != "", k.RPC != "", len(k.Exec) > 0} {
			if given {
				kinds++
			}
		}
		if kinds != 1 {
			v.add(field, fmt.Sprintf("it has %d of http, rpc and exec, one is needed", kinds), `checks: [{name: db, rpc: "Shop.Repo.ready?()"}]`)
		}
		if k.HTTP != "" && !strings.HasPrefix(k.HTTP, "/") {
			v.add(field+".http", fmt.Sprintf("%q is no path", k.HTTP), "http: /health")
		}
		if k.HTTP != "" && s.HTTPPort < 0 {
			v.add(field+".http", "the cluster has no HTTP port", "set http_port, or use rpc: or exec:")
		}
		if k.Expect != "" && k.RPC == "" {
			v.add(field+".expect", "only an rpc check has a value to expect", "leave it out")
		}
		if k.Timeout < 0 {
			v.add(field+".timeout", fmt.Sprintf("%s is negative", k.Timeout), "timeout: 5s")
		}
		for _, n := range k.Nodes {
			if !slices.ContainsFunc(s.Nodes, func(node NodeSpec) bool { return node.Name == n }) {
				v.add(field+".nodes", fmt.Sprintf("%q is no node of the cluster", n), "list names of nodes, or leave it out for all")
			}
		}
		if first, twice := names[k.String()]; twice {
			v.add(field+".name", fmt.Sprintf("%q is also the name of checks[%d]", k, first), "give every check a name of its own")
		}
		names[k.String()] = i
	}
	for key, text := range s.Health.Problems() {
		v.add("health."+key, text, "leave it out for the default")
	}
}
