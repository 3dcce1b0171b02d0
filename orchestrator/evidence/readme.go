package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// files describe the files of a bundle, in the recommended order of reading.
var files = []struct{ name, what string }{
	{"error.txt", "why it failed, and what to type next"},
	{"timeline.txt", "everything that happened, in the order of time, with the output around it"},
	{"findings.json", "what is known to be wrong, and the way out"},
	{"ps.txt", "the nodes, and why each is as it is"},
	{"nodes/NAME/stderr.log", "what a node printed, over all its runs; here the VM says why it ends"},
	{"nodes/NAME/stdout.log", "the same, with what the Logger writes"},
	{"nodes/NAME/erl_crash.dump", "a VM's own account of its end, where it left one: look at its Slogan, and at the file's time"},
	{"nodes/NAME/inspect.json", "a node as Beamyard and as the engine see it"},
	{"matrix.txt", "which node was connected to which"},
	{"health.json", "the health report"},
	{"status.json", "ps, for programs"},
	{"events.jsonl", "the events that the timeline was made of"},
	{"spec.json", "what was asked for, with all defaults; secrets are masked"},
	{"engine.json", "the container engine"},
}

// tellReader writes README.txt: what the bundle is, what it contains, what is missing.
func (c *collector) tellReader() {
	var b strings.Builder
	fmt.Fprintf(&b, "Evidence of the cluster %s, collected %s UTC", c.Spec.Name, clock(c.b.At))
	if c.By != "" {
		fmt.Fprintf(&b, " by %s", c.By)
	}
	b.WriteString(".\n")
	if c.Cause != nil {
		first, _, _ := strings.Cut(c.Cause.Error(), "\n")
		fmt.Fprintf(&b, "It failed: %s\n", first)
	}
	switch {
	case c.status == nil && c.Engine == nil:
		b.WriteString("No engine answered, so nothing is known of its nodes.\n")
	case c.status == nil:
		b.WriteString("The engine had nothing of it: it failed before a node was created, or was removed.\n")
	case !c.answers:
		b.WriteString("It had no supervisor: this is what the engine knows, and its last 256 events.\n")
	}
	if off := c.ahead.Round(100 * time.Millisecond); off.Abs() >= time.Second {
		fmt.Fprintf(&b, "The engine's clock is %s ahead of ours (- is behind): its events and the nodes' output have its time.\n", off)
	}
	b.WriteString("\nRead from the top:\n\n")
	for _, f := range files {
		if n := c.b.count(f.name); n > 0 {
			fmt.Fprintf(&b, "  %-26s %s\n", f.name, f.what)
		}
	}
	if len(c.b.Missing) > 0 {
		b.WriteString("\nWhat could not be collected, and why:\n\n")
		for _, m := range c.b.Missing {
			fmt.Fprintf(&b, "  %s: %s\n", m.Part, strings.ReplaceAll(m.Reason, "\n", "\n    "))
		}
	}
	b.WriteString("\nThe cookie and the values of secret variables are masked, as " + secrets.Masked + ", and in crash dumps as ****.\n" +
		"A dump shows the rest of the VM's memory all the same: look before you hand it on.\n")
	c.text("README.txt", b.String())
}
