package diagnosis

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// How a node ends, or does not begin. Codes and texts: measured on OTP 25 and 27
// with an init as first process.
var endRules = []rule{
	{
		// The kernel's word reaches us by a shell or a runtime. Our init tries a
		// program that is none as a shell script, as execvp(3) does: with a shell in
		// the image that complains of the syntax, without one it says that there is no
		// such file.
		code: "platform-mismatch", when: func(e *Evidence, n *Node) (match, bool) {
			if m, ok := saysIn(execFormat, n); ok {
				return m, true
			}
			if len(n.Command) == 0 || n.Exit == nil || n.Exit.Code == 0 || n.WasReady {
				return match{}, false
			}
			if !isShell(n.Command[0]) {
				if m, ok := saysIn(pattern(regexp.QuoteMeta(n.Command[0])+`: 1: (?:.*ELF|Syntax error)`), n); ok {
					return m, true
				}
			}
			refused := n.Exit.Code == 126 || n.Exit.Code == 127 || n.Exit.Code == 255
			other := refused && n.Exit.Class != orchestrator.ExitStopped && foreign(e.ImageArch, e.EngineArch)
			return match{evidence: "the image is for " + e.ImageArch + ", the engine's machine is " + e.EngineArch}, other
		},
		problem: "{node} cannot run: its image is made for another processor, or what it starts is not a program",
		try: []try{
			{text("see what the image is for"), shell("docker image inspect --format '{{.Os}}/{{.Architecture}}' {image}"), always},
			{text("see what the engine is"), shell("docker version --format '{{.Server.Os}}/{{.Server.Arch}}'"), always},
		},
	},
	{
		code: "shared-library-missing", says: pattern(`(\S+): error while loading shared libraries: ([^:\s]+)|(\S+): .*version .(GLIBC_[\d.]+). not found`),
		when:    func(_ *Evidence, n *Node) (match, bool) { return match{}, n.Exit != nil },
		problem: "{node} cannot run: {1}{3} needs {2}{4}, which its image does not have",
		try: []try{
			{text("build it on the base that it runs on: a release brings its VM, and not the system's libraries; see what the image is"), shell("docker run --rm --entrypoint cat {image} /etc/os-release"), always},
		},
	},
	{
		// The init says it ([FATAL tini …] exec X failed), or the engine's runtime.
		code: "command-missing", follows: codes{"platform-mismatch", "shared-library-missing"}, when: exitOrSays(127,
			`exec (\S+) failed: No such file or directory`, `"?([^\s":]+)"?: executable file not found`, `exec: "?([^\s":]+)"?: stat .*no such file`,
			`env: .?([^\s'’]+?)['’]?: No such file`, `: (?:\d+: |line \d+: )?([^\s:]+): (?:command )?not found`),
		problem: "{node} cannot run: its image does not contain {name}",
		try: []try{
			{text("a Mix project gets an image with Elixir: give its folder"), hint.Of(hint.UpHelp.With()), always},
			{text("where the image holds a mix release: %s; else set command: to what it has; see its own", hint.Setting("release: true")), shell("docker image inspect --format '{{.Config.Entrypoint}} {{.Config.Cmd}}' {image}"), always},
		},
	},
	{
		code: "command-not-executable", when: exitOrSays(126, `exec (\S+) failed: Permission denied`, `exec: "([^"]+)": permission denied`, `: (?:\d+: |line \d+: )?(?:exec: )?([^\s:]+): Permission denied`),
		problem: "{node} cannot run: {name} is not an executable program",
		try: []try{
			{text("make it executable in the image (chmod +x), and let a script begin with #!; see its command"), shell("docker image inspect --format '{{.Config.Entrypoint}} {{.Config.Cmd}}' {image}"), always},
		},
	},
	{
		code: "start-refused", when: startKind(KindCannotStart),
		problem: "the engine's runtime refuses to start {node}",
		try: []try{
			{text("see the image's entrypoint and command"), shell("docker image inspect --format '{{.Config.Entrypoint}} {{.Config.Cmd}}' {image}"), always},
		},
		follows: codes{"platform-mismatch", "command-missing", "command-not-executable", "nofile-refused"},
	},
	{
		// moby#21083, supabase/realtime#586: no dump is written.
		code: "out-of-memory", when: func(e *Evidence, n *Node) (match, bool) {
			m, ok := ofClass(orchestrator.ExitOOM)(e, n)
			m.words = map[string]string{"limit": "its limit of " + bytesText(e.Spec.Memory)}
			if e.Spec.Memory == 0 {
				m.words["limit"] = "there was on the engine's machine"
			}
			return m, ok
		},
		problem: "{node} was killed by the kernel: it needed more than {limit}",
		try: []try{
			{text("raise %s, then remove the cluster and start it again", hint.Setting("memory")), down, there},
			{text("see what takes the memory, while it runs"), health, there},
			{text("raise %s, and start it again", hint.Setting("memory")), again, absent},
		},
	},
	{
		code: "vm-allocation", says: pattern(`(\w+): Cannot (?:re)?allocate (\d+) bytes of memory \(of type "([^"]+)"`),
		problem: "the VM of {node} asked for {2} bytes for its {3} and did not get them: the container's limit was not the cause",
		try: []try{
			{text("look for what grows without bound: the crash dump names the largest processes"), inspect, there},
			{text("keep its crash dump"), againWith("keep_dumps: dumps"), absent},
		},
	},
	{
		code: "open-files", says: pattern(`\bemfile\b|:emfile|[Tt]oo many open files`),
		problem: "{node} has run out of file descriptors",
		try: []try{
			{text("see how many are open, and the limit"), health, there},
			{text("see what the engine allows"), doctor, always},
		},
	},
	{
		code: "vm-limit", says: pattern(`\*\* \(SystemLimitError\)|Too many processes|\bsystem_limit\b`),
		problem: "{node} reached a limit of its VM: of processes, ports, atoms or tables",
		try: []try{
			{text("see how close it is to each limit"), health, there},
			{text("raise it (+P processes, +Q ports, +t atoms), if you need that many: ERL_AFLAGS"), againWith("env.ERL_AFLAGS: +P 2000000"), absent},
		},
	},
	{
		code: "killed", when: ofClass(orchestrator.ExitKilled),
		problem: "{node} was killed by SIGKILL, but not because of its memory",
		try: []try{
			{text("see the events around it"), events, there},
			{text("see where the signal came from"), shell("docker events --since 10m --until 0s --filter container={container}"), always},
		},
	},
	{
		code: "vm-aborted", when: func(_ *Evidence, n *Node) (match, bool) {
			return match{evidence: "exit " + codeText(n)}, n.Exit != nil && (n.Exit.Code == 134 || n.Exit.Code == 139)
		},
		problem: "the VM of {node} was ended by a fault in native code: a NIF, a driver, or the VM itself",
		try: []try{
			{text("see its last lines"), tail, there},
			{text("keep it for a look"), again, absent},
		},
	},
	{
		// distillery#379, #165; xqerl#65.
		code: "shell-first", when: func(e *Evidence, n *Node) (match, bool) {
			shell := shellOf(n.Command)
			if shell == "" || n.Exit == nil || n.Exit.Class != orchestrator.ExitStopped {
				return match{}, false
			}
			m := match{evidence: "exit " + codeText(n), words: map[string]string{"shell": shell}}
			switch n.Exit.Code {
			case 137: // it ignored TERM, as one that is process 1 does
				m.words["stop"] = "the stop timeout of " + e.Spec.StopTimeout.String() + " passed, and everything was killed"
			case 143: // it ended by TERM, and with the init's child the container
				m.words["stop"] = "the stop ended the shell, and the VM was killed with it, without its shutdown"
			default:
				return match{}, false
			}
			return m, true
		},
		problem: "the first process of {node} is {shell}, which does not pass TERM on to the VM: {stop}",
		try: []try{
			{text(`let the command end in exec: %s; see what it is`, hint.Setting(`command: [sh, -c, "… && exec elixir …"]`)), shell("docker inspect --format '{{.Path}} {{.Args}}' {container}"), there},
			{text(`let the command end in exec: %s`, hint.Setting(`command: [sh, -c, "… && exec elixir …"]`)), again, absent},
		},
	},
	{
		code: "stop-needed-kill", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: "exit 137 after " + e.Spec.StopTimeout.String()}, n.Exit != nil && n.Exit.Class == orchestrator.ExitStopped && n.Exit.Code == 137
		},
		problem: "{node} did not stop within its stop timeout of {stop_timeout}: it got SIGKILL",
		try: []try{
			{text("give it more time, if its shutdown needs that: %s; see what it did last", hint.Setting("stop_timeout")), tail, there},
			{text("give it more time, if its shutdown needs that: %s", hint.Setting("stop_timeout")), again, absent},
		},
		follows: codes{"shell-first"},
	},
	{
		code: "iex-without-stdin", when: func(e *Evidence, n *Node) (match, bool) {
			iex := len(n.Command) > 0 && (path.Base(n.Command[0]) == "iex" || strings.Contains(strings.Join(n.Command, " "), "exec iex"))
			said, _ := saysIn(interactive, n)
			return match{evidence: said.evidence}, !e.Spec.Stdin && n.Exit != nil && n.Exit.Code == 0 && (iex || said.evidence != "")
		},
		problem: "{node} ended at once: iex reads its commands from standard input, and a node has none",
		try: []try{
			{text("give it one, %s, to write to it with %s; or start it with `elixir --no-halt`; then", hint.Setting("stdin: true"), hint.Send.With()), down, there},
			{text("give it one, %s, to write to it with %s; or start it with `elixir --no-halt`; then", hint.Setting("stdin: true"), hint.Send.With()), again, absent},
		},
	},
	{
		code: "ended-by-itself", when: func(_ *Evidence, n *Node) (match, bool) {
			return match{evidence: "exit 0"}, n.Exit != nil && n.Exit.Class == orchestrator.ExitCompleted
		},
		problem: "the command of {node} finished successfully",
		try: []try{
			{text("to keep it running, use --no-halt: mix run --no-halt; see its output"), tail, there},
			{text("to keep it running, use --no-halt in command:, then"), again, absent},
		},
		follows: codes{"iex-without-stdin"},
	},
}

var execFormat = pattern(`(?i)exec format error`)

var interactive = pattern(`^Interactive Elixir|^Eshell V`)

// exitOrSays is a rule's when for an exit code, with what was said about it; each
// text has one group, for the {name} of what is meant. A container that could not
// be started has no code.
func exitOrSays(code int, texts ...string) func(*Evidence, *Node) (match, bool) {
	patterns := make([]*regexp.Regexp, len(texts))
	for i, expr := range texts {
		patterns[i] = pattern(expr)
	}
	return func(_ *Evidence, n *Node) (match, bool) {
		exited := n.Exit != nil && n.Exit.Code == code && !n.WasReady
		if !exited && (n.Exit != nil || n.StartError == "") {
			return match{}, false
		}
		for _, re := range patterns {
			if m, ok := saysIn(re, n); ok {
				m.words = map[string]string{"name": m.groups[0]}
				return m, true
			}
		}
		name := "its command"
		if len(n.Command) > 0 && !isShell(n.Command[0]) {
			name = n.Command[0]
		}
		return match{evidence: "exit " + codeText(n), words: map[string]string{"name": name}}, exited
	}
}

// foreign tells whether an image is for a processor that the engine's has not in
// it: 64-bit ones run 32-bit programs.
func foreign(image, engine string) bool {
	runs := map[string]string{"386": "amd64", "arm": "arm64"}
	return image != "" && engine != "" && image != engine && runs[image] != engine
}

func isShell(command string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "busybox"}, path.Base(command))
}

func ofClass(class orchestrator.ExitClass) func(*Evidence, *Node) (match, bool) {
	return func(_ *Evidence, n *Node) (match, bool) {
		return match{evidence: "exit " + codeText(n)}, n.Exit != nil && n.Exit.Class == class
	}
}

// shellOf is the shell that is a command's first process and stays it: one whose
// script does not end in exec.
func shellOf(command []string) string {
	if len(command) == 0 || !isShell(command[0]) || strings.Contains(strings.Join(command, " "), "exec ") {
		return ""
	}
	return path.Base(command[0])
}
