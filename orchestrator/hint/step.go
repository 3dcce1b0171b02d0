package hint

import (
	"slices"
	"strings"
)

// Step is something that the reader of a hint can do.
type Step struct {
	Do      Verb     `json:"do"`
	Cluster string   `json:"cluster,omitempty"`
	Nodes   []string `json:"nodes,omitempty"` // short names
	Args    []string `json:"args,omitempty"`  // see the verb
}

// Verb is the code of a step.
type Verb string

// The verbs. Where no argument is named, a step has none.
const (
	Up          Verb = "up"           // start a cluster; the arguments are settings: see [Setting], and source or file come first
	UpHelp      Verb = "up-help"      // see what a cluster can be started from, and how
	Supervise   Verb = "supervise"    // give a cluster that is up a supervisor again
	Down        Verb = "down"         // remove a cluster
	DownVolumes Verb = "down-volumes" // remove a cluster and its volumes
	Start       Verb = "start"        // start nodes
	Stop        Verb = "stop"         // stop nodes; they stay down
	Restart     Verb = "restart"      // restart nodes
	Unpause     Verb = "unpause"      // resume nodes
	Reconnect   Verb = "reconnect"    // end a deliberate disconnection
	Upgrade     Verb = "upgrade"      // replace the image of nodes, one after the other
	Rollback    Verb = "rollback"     // go back to the image before the last upgrade
	Heal        Verb = "heal"         // end the faults of a cluster, or those whose IDs are the arguments
	Squeeze     Verb = "squeeze"      // limit the memory of nodes to the argument, for a while
	Status      Verb = "status"       // see the nodes of a cluster, or all clusters
	Inspect     Verb = "inspect"      // see everything about a node
	Logs        Verb = "logs"         // see what nodes printed
	Tail        Verb = "tail"         // see the last lines that nodes printed
	Grep        Verb = "grep"         // see the lines that match the argument, a regular expression
	LastRun     Verb = "last-run"     // see what nodes printed since their last start
	Events      Verb = "events"       // see what happened to a cluster
	Health      Verb = "health"       // examine a cluster
	HealthJSON  Verb = "health-json"  // examine a cluster, for a report to the developers
	Eval        Verb = "eval"         // evaluate the argument, in Elixir, on a node
	EvalErlang  Verb = "eval-erlang"  // evaluate the argument, in Erlang, on a node
	Sync        Verb = "sync"         // bring changed code into nodes, or all
	SyncRestart Verb = "sync-restart" // bring changed code into nodes, and restart them
	SyncPurge   Verb = "sync-purge"   // bring changed code into nodes, and kill what runs the old code
	SyncWatch   Verb = "sync-watch"   // bring code into all nodes at each change
	Shell       Verb = "shell"        // open a shell of a node
	Send        Verb = "send"         // write to the standard input of a node
	Page        Verb = "page"         // open the live page of a cluster, or of all
	Export      Verb = "export"       // write the evidence to the file that is the argument
	Doctor      Verb = "doctor"       // examine the machine and its engine
	Prune       Verb = "prune"        // remove what dead processes left
	Machines    Verb = "hosts"        // act on the hosts; the arguments are what: ls, init, join HOST, leave HOST
	Set         Verb = "set"          // change settings: see [Setting]
)

// Verbs are all verbs.
var Verbs = []Verb{
	Up, UpHelp, Supervise, Down, DownVolumes, Start, Stop, Restart, Unpause, Reconnect, Upgrade, Rollback, Heal, Squeeze, Status, Inspect, Logs, Tail, Grep, LastRun, Events, Health, HealthJSON,
	Eval, EvalErlang, Sync, SyncRestart, SyncPurge, SyncWatch, Shell, Send, Page, Export, Doctor, Prune, Machines, Set,
}

// On returns the step for a cluster, or for nodes of it.
func (v Verb) On(cluster string, nodes ...string) Step {
	return Step{Do: v, Cluster: cluster, Nodes: nodes}
}

// With returns the step with arguments.
func (v Verb) With(args ...string) Step { return Step{Do: v, Args: args} }

// With returns the step with arguments.
func (s Step) With(args ...string) Step {
	s.Args = args
	return s
}

// Setting returns the step that changes settings of a cluster, by their keys in
// beamyard.yml: "pool", or "distribution.port: 9100" and "env.NAME: value" with the value.
func Setting(keys ...string) Step { return Set.With(keys...) }

// SettingOf is [Setting] for the keys of one node.
func SettingOf(node string, keys ...string) Step { return Set.On("", node).With(keys...) }

// String returns the command of the command line. It is for a shell.
func (s Step) String() string {
	switch s.Do {
	case Up:
		return s.up()
	case UpHelp:
		return "beamyard up --help"
	case Supervise:
		return command("up", s.at(), "-d")
	case DownVolumes:
		return command("down", s.at(), "--volumes")
	case Status:
		return command("ps", s.at())
	case Tail:
		return command("logs", s.at(), "--tail 50")
	case Grep:
		return command("logs", s.at(), "--grep "+Quote(strings.Join(s.Args, " ")))
	case LastRun:
		return command("logs", option("-c", s.Cluster), "--since-restart")
	case Events:
		return command("events", option("-c", s.Cluster))
	case Heal:
		return command("heal", append([]string{option("-c", s.Cluster)}, s.Args...)...)
	case Squeeze:
		return command("squeeze", s.at(), "--memory", strings.Join(s.Args, " "))
	case HealthJSON:
		return command("health", s.at(), "--json")
	case Eval:
		return command("rpc", s.at(), s.quoted())
	case EvalErlang:
		return command("rpc", "--erlang", s.at(), s.quoted())
	case Sync:
		return s.sync()
	case SyncRestart:
		return s.sync("--restart")
	case SyncPurge:
		return s.sync("--purge hard")
	case SyncWatch:
		return s.sync("--watch")
	case Shell:
		return command("iex", s.at())
	case Page:
		return command("ui", s.at())
	case Reconnect:
		return "the program that disconnected them" // no command does
	case Set:
		return s.settings()
	case Down, Start, Stop, Restart, Unpause, Upgrade, Rollback, Inspect, Logs, Health, Send, Export, Doctor, Prune, Machines:
	}
	return command(string(s.Do), append([]string{s.at()}, s.Args...)...)
}

// command joins the words that are not empty.
func command(verb string, words ...string) string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return strings.Join(append([]string{"beamyard", verb}, words...), " ")
}

// option returns a flag with its value, or "" without a value.
func option(flag, value string) string {
	if value == "" {
		return ""
	}
	return flag + " " + value
}

// at returns the nodes as commands take them, whatever other clusters there are, or the
// cluster.
func (s Step) at() string {
	if len(s.Nodes) == 0 {
		return s.Cluster
	}
	names := slices.Clone(s.Nodes)
	for i, n := range names {
		if s.Cluster != "" {
			names[i] = s.Cluster + "/" + n
		}
	}
	return strings.Join(names, " ")
}

// quoted returns the arguments as one word of a shell, in quotes.
func (s Step) quoted() string { return inQuotes(strings.Join(s.Args, " ")) }

func inQuotes(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// Quote returns a text as one word of a shell.
func Quote(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@+…") == "" {
		return text
	}
	return inQuotes(text)
}

// up has the name after the source or the file.
func (s Step) up() string {
	words := []string{"", option("--name", s.Cluster)}
	for _, setting := range s.Args {
		key, value, _ := strings.Cut(setting, ": ")
		variable, isEnv := strings.CutPrefix(key, "env.")
		switch {
		case key == "source":
			words[0] = Quote(value)
		case key == "file":
			words[0] = "-f " + Quote(value)
		case key == "nodes":
			words = append(words, "-n "+value)
		case isEnv:
			words = append(words, "--env "+variable+"="+Quote(value))
		default:
			words = append(words, flag(setting))
		}
	}
	return command("up", words...)
}

// flag returns a setting as a flag.
func flag(setting string) string {
	key, value, _ := strings.Cut(setting, ": ")
	if key == "base_image" {
		key = "base"
	}
	return strings.TrimSpace("--" + strings.ReplaceAll(key, "_", "-") + " " + Quote(value))
}

func (s Step) sync(flag ...string) string {
	return command("sync", slices.Concat([]string{option("-c", s.Cluster)}, s.Nodes, flag)...)
}

// settings returns the settings as they are written in beamyard.yml, or as a flag where
// that is usual.
func (s Step) settings() string {
	var parents []string
	under := map[string][]string{} // by the key of the mapping that they are in
	for _, arg := range s.Args {
		path, value, _ := strings.Cut(arg, ": ")
		switch path {
		case "nodes":
			return Up.With(arg).String()
		case "name", "keep_on_failure", "base_image":
			return flag(arg)
		}
		parent, key, nested := strings.Cut(path, ".")
		if !nested {
			parent, key = "", path
		}
		if under[parent] == nil {
			parents = append(parents, parent)
		}
		under[parent] = append(under[parent], strings.TrimSpace(key+": "+value))
	}
	var all []string
	for _, parent := range parents {
		if parent == "" {
			all = append(all, under[parent]...)
		} else {
			all = append(all, parent+": {"+strings.Join(under[parent], ", ")+"}")
		}
	}
	if len(s.Nodes) > 0 {
		return "nodes: [{name: " + strings.Join(append(slices.Clone(s.Nodes), all...), ", ") + "}] in beamyard.yml"
	}
	if len(all) > 2 {
		all = []string{strings.Join(all[:len(all)-1], ", "), all[len(all)-1]}
	}
	return strings.Join(all, " and ") + " in beamyard.yml"
}
