package diagnosis

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// What runs on the VM, and what it needs of its container.
var applicationRules = []rule{
	{
		code: "port-in-use", says: pattern(`:eaddrinuse|\beaddrinuse\b`),
		when: func(_ *Evidence, n *Node) (match, bool) {
			_, distribution := saysIn(register, n)
			which := "a port"
			if m, ok := saysIn(listenPort, n); ok {
				which = "port " + cmp.Or(m.groups...)
			}
			return match{words: map[string]string{"which": which}}, !distribution
		},
		problem: "the application of {node} cannot listen on {which}: another process in its container uses it already",
		try: []try{
			{text("the distribution has {dist_port}, and an application's own port is in $PORT: see %s, then", hint.Setting("http_port", "env", "distribution.port: …")), again, absent},
			{text("see its output"), tail, ended},
			{text("see what listens there"), shell("docker exec {container} cat /proc/net/tcp /proc/net/tcp6"), runs},
		},
	},
	{
		code: "name-not-resolved", says: pattern(`:nxdomain|\bnxdomain\b|[Cc]ould not resolve host|Name or service not known|Temporary failure in name resolution`),
		problem: "{node} looks up a host name that does not resolve",
		try: []try{
			{text("hosts of the cluster are called n1.{cluster}.test; another service must be on a network of its own name; see what it resolves"), shell("docker exec {container} cat /etc/resolv.conf"), runs},
			{text("check the host names of databases and brokers: %s; see which one it looked up", hint.Setting("env")), tail, ended},
			{text("check the host names of databases and brokers: %s, then", hint.Setting("env")), again, absent},
		},
		follows: codes{"hex-missing", "dependency-fetch", "network-detached"},
	},
	waitLocal, waitService, waitPeer,
	{
		// System.fetch_env!/1, and what Phoenix writes into config/runtime.exs.
		code: "env-missing", says: pattern(`could not fetch environment variable "(\w+)"|environment variable (\w+) is missing`),
		problem: "{node} needs the environment variable {1}{2}, which is not set",
		try: []try{
			{text("set it: %s (and list it in secrets:, if it is one), or once", hint.Setting("env.{1}{2}: VALUE")), againWith("env.{1}{2}: VALUE"), absent},
			{text("set it: %s (and list it in secrets:, if it is one), then remove the cluster and start it again", hint.Setting("env.{1}{2}: VALUE")), down, there},
		},
	},
	runtimeConfig,
	{
		code: "read-only-file-system", says: pattern(`(?i)read-only file system|:erofs\b|\berofs\b`),
		problem: "{node} writes to a place that is read-only in its container",
		try: []try{
			{text("/tmp and the home folder can be written to; see the mounts"), shell("docker exec {container} cat /proc/mounts"), runs},
			{text("/tmp and the home folder can be written to; see which file it was"), tail, ended},
			{text("let it write to /tmp or its home folder, then"), again, absent},
		},
	},
	{
		code: "file-permission", says: pattern(`\*\* \(File\.Error\) .*: permission denied|:eacces\b`),
		problem: "{node} may not open a file or a port of its container: it does not run as root",
		try: []try{
			{text("see its user"), shell("docker image inspect --format '{{.Config.User}}' {image}"), always},
		},
	},
	{
		code: "file-permission", says: pathDenied,
		problem: "{node} has no permission for {1} in its container",
		try: []try{
			{text("see its owner"), shell("docker exec {container} ls -ld {1}"), runs},
			{text("see the node's user; %s changes it", hint.Setting("user")), shell("docker inspect --format '{{.Config.User}}' {container}"), there},
		},
	},
	{
		// elixir#2862: under mix run, outside of prod, the VM stays up.
		code: "app-exited", says: pattern(`Application (\S+) exited: (.*)`),
		when: func(e *Evidence, n *Node) (match, bool) {
			said, ok := saysIn(pattern(`Application (`+cmp.Or(regexp.QuoteMeta(e.app()), `\S+`)+`) exited: (.*)`), n)
			if !ok {
				return match{}, false
			}
			return match{evidence: said.evidence, words: map[string]string{"app": said.groups[0], "reason": said.groups[1]}}, n.AppDown
		},
		problem: "the top supervisor of {app} on {node} ended ({reason}), and the VM keeps running without it",
		try: []try{
			{text("see what it printed before"), tail, there},
			{text("restart it"), restart, there},
			{text("let the VM end with it: start_permanent: true in mix.exs; then"), again, absent},
		},
	},
	{
		code: "app-not-started", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: "application:which_applications() does not list " + e.app()}, n.AppDown && n.Late
		},
		problem: "the VM of {node} answers, and application {app} is not started on it",
		try: []try{
			{text("see what holds it up"), eval("Application.ensure_all_started(:{app})"), there},
			{text("if it was still booting, give it more time: %s; then", hint.Setting("ready_timeout")), again, absent},
			{text("the command must start it (no --no-start); %s, of the cluster or of the node, names another one, or - for none; then", hint.Setting("app")), again, absent},
		},
		follows: codes{"app-exited"},
	},
	{
		code: "app-does-not-start", says: notStarted,
		when: func(_ *Evidence, n *Node) (match, bool) {
			return match{words: map[string]string{"because": exceptionAfter(notStarted, n)}}, true
		},
		problem: "application {1} of {node} does not start: {because}",
		try: []try{
			{text("try it in its image"), shell("docker run --rm -it --entrypoint sh {image}"), always},
			{text("see all of its output"), logs, there},
		},
		follows: codes{"env-missing", "port-in-use", "name-not-resolved", "localhost-refused", "service-not-there", "peer-not-there", "read-only-file-system", "file-permission", "disk-full", "otp-application-missing", "dependency-not-compiled", "open-files", "vm-limit", "vm-allocation"},
	},
	{
		// In a release, and with start_permanent, nobody is left to say the words above.
		code: "app-does-not-start", says: startExited,
		when: func(_ *Evidence, n *Node) (match, bool) {
			_, told := saysIn(notStarted, n)
			return match{words: map[string]string{"because": exceptionAfter(startExited, n)}}, !told && !n.WasReady && n.Exit != nil
		},
		problem: "application {1} of {node} does not start: {because}",
		try: []try{
			{text("try it in its image"), shell("docker run --rm -it --entrypoint sh {image}"), always},
			{text("see all of its output"), logs, there},
		},
		follows: codes{"env-missing", "port-in-use", "name-not-resolved", "localhost-refused", "service-not-there", "peer-not-there", "read-only-file-system", "file-permission", "disk-full", "otp-application-missing", "dependency-not-compiled", "open-files", "vm-limit", "vm-allocation"},
	},
	{
		// init:do_boot and application_controller, OTP 25 and 27; the last is what
		// heart of it all prints when a permanent application ends.
		code: "boot-failure", says: pattern(`Runtime terminating during boot \((.*)|init terminating in do_boot \((.*)|Kernel pid terminated \(\w+\) \((.*)`),
		problem: "the VM of {node} did not boot, or its kernel application ended: {1}{2}{3}",
		try: []try{
			{text("try it in its image"), shell("docker run --rm -it --entrypoint sh {image}"), always},
			{text("see all of its output"), logs, there},
		},
		follows: codes{
			"invalid-node-name", "name-in-use", "epmd-not-running", "distribution-port-in-use", "open-files", "env-missing", "port-in-use", "name-not-resolved",
			"localhost-refused", "service-not-there", "peer-not-there", "read-only-file-system", "file-permission", "disk-full", "vm-limit", "vm-allocation", "otp-application-missing", "app-does-not-start", "runtime-config",
		},
	},
	{
		code: "http-check", when: reasonSays(httpAnswered),
		problem: "{node} answers {1} with {2}, not with 2xx or 3xx",
		try: []try{
			{text("see what it prints when it is asked"), tail, there},
			{text("correct the application, or give a path that answers when it is ready: %s; then", hint.Setting("http_check")), again, absent},
		},
		follows: codes{"app-not-started", "app-exited"},
	},
	{
		code: "http-check", when: func(e *Evidence, n *Node) (match, bool) {
			answered := pattern(httpAnswered).MatchString(n.Reason)
			return match{evidence: n.Reason}, strings.HasPrefix(n.Reason, "HTTP check") && !answered
		},
		problem: "{node} does not answer {http_check} on port {http_port} with 2xx or 3xx",
		try: []try{
			{text("it must listen on $PORT ({http_port}) of every address (0.0.0.0, not 127.0.0.1) and answer {http_check} with 2xx or 3xx; see what listens"), shell("docker exec {container} cat /proc/net/tcp /proc/net/tcp6"), runs},
			{text("it must listen on $PORT ({http_port}) of every address (0.0.0.0, not 127.0.0.1) and answer {http_check} with 2xx or 3xx; a node that serves no HTTP says so: %s; then", hint.SettingOf("{node}", "http_port: -1")), again, absent},
		},
		follows: codes{"app-not-started", "app-exited", "port-in-use", "network-detached"},
	},
	{
		// skycluster#2: heart starts the VM again behind the supervisor's back.
		code: "heart", ready: true, when: func(_ *Evidence, n *Node) (match, bool) {
			if m, ok := saysIn(heartLine, n); ok {
				return m, true
			}
			flag := slices.ContainsFunc(n.Command, func(w string) bool { return w == "-heart" || strings.Contains(" "+w+" ", " -heart ") })
			return match{evidence: "-heart"}, flag || n.Live != nil && n.Live.Heart
		},
		problem: "heart watches the VM of {node}: it would restart it inside its container, without the restart policy",
		try: []try{
			{text("leave -heart out: Beamyard restarts what crashes; see the command"), shell("docker inspect --format '{{.Args}}' {container}"), there},
			{text("leave -heart out: Beamyard restarts what crashes; then"), again, absent},
		},
	},
	{
		// Measured: OTP 25 garbles what is not ASCII without a word.
		code: "utf8-missing", ready: true, when: func(_ *Evidence, n *Node) (match, bool) {
			if m, ok := saysIn(latin1Line, n); ok {
				return m, true
			}
			return match{evidence: "file:native_name_encoding() is latin1"}, n.Live != nil && n.Live.Encoding == "latin1"
		},
		problem: "the VM of {node} reads text as Latin-1: non-ASCII characters in its output and in file names are garbled",
		try: []try{
			{text("leave LANG as it is given (C.UTF-8): env:, the image's entrypoint, or +fnu; see it"), shell("docker exec {container} env"), runs},
			{text("leave LANG as it is given (C.UTF-8): env:, the image's entrypoint, or +fnu; then"), again, absent},
		},
	},
	{
		code: "clock-skew", ready: true, when: func(e *Evidence, n *Node) (match, bool) {
			m, ok := skewOf(n)
			return m, ok && !clockFault(e)
		},
		problem: "the clock of {node} differs from this machine's by {skew}: timestamps in logs and timelines do not match",
		try: []try{
			{text("set the clock of the engine's machine; see its time"), shell("docker info --format '{{.SystemTime}}'"), always},
		},
	},
	{
		code: "clock-skew", ready: true, when: func(e *Evidence, n *Node) (match, bool) {
			m, ok := skewOf(n)
			return m, ok && clockFault(e)
		},
		problem: "the clock of {node} differs from this machine's by {skew}: timestamps in logs and timelines do not match",
		try:     []try{{text("heal the fault"), hint.Of(hint.Heal.On("{cluster}")), there}},
		follows: codes{"fault-in-force"},
	},
}

// skewOf is how much the clock of a node differs, if it is too much.
func skewOf(n *Node) (match, bool) {
	if n.Live == nil || n.Live.Skew.Abs() < maxSkew {
		return match{}, false
	}
	return match{evidence: n.Live.Skew.String(), words: map[string]string{"skew": n.Live.Skew.Abs().Round(time.Millisecond).String()}}, true
}

// clockFault reports whether a clock is wrong on purpose.
func clockFault(e *Evidence) bool {
	return slices.ContainsFunc(e.Faults, func(f Fault) bool { return strings.Contains(f.Text, "(clock ") })
}

// httpAnswered is the reason of a node whose HTTP check got an answer with a bad status.
const httpAnswered = `^HTTP check (.*): answered (.*)`

const maxSkew = 2 * time.Second

var (
	listenPort  = pattern(`\{:?listen,\s*(\d+),\s*:?eaddrinuse\}|port[ :]+(\d+).*eaddrinuse`)
	startExited = pattern(`Application (\S+) exited: ((?:exited in: )?\S+\.start\(:normal, .*)`)
	notStarted  = pattern(`Could not start application (\S+): (.*)`)
	heartLine   = pattern(`^heart_beat_kill_pid = \d+|^heart: `)
	latin1Line  = pattern(`native name encoding of [` + "`" + `'"]?latin1`)
)

// What follows from other things, and what the dump of a crash adds.
var followRules = []rule{
	{
		code: "crash-dump", when: func(_ *Evidence, n *Node) (match, bool) {
			if n.Dump == nil {
				return match{}, false
			}
			return match{evidence: n.Dump.processes(), words: map[string]string{"dump": n.Dump.text()}}, true
		},
		problem: "{node} left a crash dump: {dump}",
		try: []try{
			{text("copy it out"), shell("docker cp {container}:{dump_path} ."), there},
			{text("keep it next time"), againWith("keep_dumps: dumps"), absent},
		},
		follows: codes{
			"out-of-memory", "vm-allocation", "runtime-config", "boot-failure", "open-files", "vm-limit", "app-does-not-start", "name-in-use", "epmd-not-running",
			"invalid-node-name", "distribution-port-in-use", "port-in-use", "localhost-refused", "service-not-there", "peer-not-there",
		},
	},
	{
		code: "boot-loop", when: reasonSays(`failed to boot twice with the same message`),
		problem: "{node} failed to boot twice with the same message, so it is not restarted",
		try: []try{
			{text("start it once the cause is fixed"), start, there},
			{text("start it once the cause is fixed"), again, absent},
		},
		follows: anyEnd,
	},
	{
		code: "restarts-spent", when: reasonSays(`(\d+) restarts within (\S+) are used up`),
		problem: "{node} crashed more often than {1} times within {2}, so it is not restarted any more",
		try: []try{
			{text("start it once the cause is fixed; that resets the budget"), start, there},
			{text("start it once the cause is fixed"), again, absent},
		},
		follows: anyEnd,
	},
}

// anyEnd are the codes that tell why a run ended.
var anyEnd = codes{
	"platform-mismatch", "command-missing", "command-not-executable", "elixir-version", "hex-missing", "rebar-missing", "dependency-not-compiled",
	"compile-error", "no-mix-project", "out-of-memory", "vm-allocation", "disk-full", "name-in-use", "epmd-not-running", "distribution-port-in-use",
	"invalid-node-name", "env-missing", "runtime-config", "port-in-use", "name-not-resolved", "localhost-refused", "service-not-there", "peer-not-there",
	"read-only-file-system", "file-permission", "open-files", "vm-limit", "app-does-not-start", "shared-library-missing", "otp-application-missing", "boot-failure", "killed", "vm-aborted", "crash-dump", "unknown",
}

func reasonSays(expr string) func(*Evidence, *Node) (match, bool) {
	re := pattern(expr)
	return func(_ *Evidence, n *Node) (match, bool) {
		groups := re.FindStringSubmatch(n.Reason)
		if groups == nil {
			return match{}, false
		}
		return match{evidence: n.Reason, groups: groups[1:]}, true
	}
}

// exceptionAfter is the innermost exception that Elixir tells below the last line
// with a text, each further in than the one before: "** (EXIT) …", "** (RuntimeError)
// …"; else what the line itself says.
func exceptionAfter(re *regexp.Regexp, n *Node) string {
	for i := len(n.Lines) - 1; i >= 0; i-- {
		groups := re.FindStringSubmatch(n.Lines[i].Text)
		if groups == nil {
			continue
		}
		because := groups[len(groups)-1]
		for _, l := range n.Lines[i+1:] {
			text := strings.TrimLeft(l.Text, " ")
			if l.Stream != n.Lines[i].Stream {
				continue
			}
			if len(text) == len(l.Text) {
				break
			}
			if exception, ok := strings.CutPrefix(text, "** "); ok && exception != "(EXIT) an exception was raised:" {
				because = exception
			}
		}
		return because
	}
	return ""
}

// pathDenied is a program's own word for EACCES, with the path.
var pathDenied = pattern(`(?i)\b(?:access|create|mkdir|open|read|write)\b[^/]*['"]?(/[^\s:'"]+)['"]?: permission denied`)
