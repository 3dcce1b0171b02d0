package testsupport

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// hinted formats an error with its hints, whose steps are calls for the test to make.
func hinted(err error) string {
	var failed *orchestrator.ClusterError
	kept := errors.As(err, &failed) && failed.Kept
	text := hint.Lines(orchestrator.Hints(err)...).Render(func(s hint.Step) string {
		if kept { // it outlives the test: commands reach it
			return s.String()
		}
		kept = keeps(s)
		return goCall(s)
	})
	if text == "" {
		return err.Error()
	}
	return fmt.Sprintf("%v\nhint: %s", err, strings.ReplaceAll(text, "\n", "\n      "))
}

// keeps reports whether a cluster is kept after this step.
func keeps(s hint.Step) bool {
	return s.Do == hint.Set && len(s.Args) == 1 && s.Args[0] == "keep_on_failure"
}

// goCall writes a step as the code of a test: c is the cluster, t the test. Where there is
// no call, it writes the command, for a shell beside the test.
func goCall(s hint.Step) string {
	switch s.Do {
	case hint.Up:
		return started(s)
	case hint.UpHelp:
		return "go doc testsupport.Start"
	case hint.Down:
		return "c.Terminate(ctx)"
	case hint.Start:
		return each(s, "c.Start(t, %q)")
	case hint.Stop:
		return each(s, "c.Node(%q).Stop(ctx, nil)")
	case hint.Restart:
		return each(s, "c.Restart(t, %q)")
	case hint.Unpause:
		return each(s, "c.Unpause(t, %q)")
	case hint.Reconnect:
		return each(s, "c.Reconnect(t, %q)")
	case hint.Upgrade:
		return "c.Upgrade(t, upgrade.Options{})"
	case hint.Rollback:
		return "c.Rollback(t)"
	case hint.Heal:
		return "c.Heal(t)"
	case hint.Squeeze:
		bytes, _ := config.ParseSize(strings.Join(s.Args, ""))
		return each(s, "c.Squeeze(t, fault.Limits{Memory: %[2]d}, %[1]q)", bytes)
	case hint.Status:
		if s.Cluster == "" { // of all clusters
			return s.String()
		}
		return "c.Status()"
	case hint.Inspect:
		return each(s, "c.Node(%q).Status()")
	case hint.Logs:
		return each(s, "c.Output(%q).String()")
	case hint.Tail:
		return each(s, "c.Output(%q).Lines(50)")
	case hint.Grep:
		return each(s, "c.Output(%q).RequireLine(t, %s)", literal(strings.Join(s.Args, " ")))
	case hint.Events:
		return "c.Events()"
	case hint.LastRun:
		return "c.Controller().Logs(ctx, orchestrator.LogQuery{SinceRestart: true}, fn)"
	case hint.Health, hint.HealthJSON:
		return "c.Controller().Health(ctx)"
	case hint.Eval:
		return each(s, "c.Controller().Eval(ctx, %q, %s, orchestrator.EvalOptions{})", literal(strings.Join(s.Args, " ")))
	case hint.EvalErlang:
		return each(s, "c.Controller().Eval(ctx, %q, %s, orchestrator.EvalOptions{Erlang: true})", literal(strings.Join(s.Args, " ")))
	case hint.Sync:
		return synced(s, "")
	case hint.SyncRestart:
		return synced(s, "Restart: true")
	case hint.SyncPurge:
		return synced(s, "PurgeHard: true")
	case hint.Set:
		return set(s)
	case hint.Supervise, hint.DownVolumes, hint.SyncWatch, hint.Shell, hint.Send, hint.Page, hint.Export, hint.Doctor, hint.Prune, hint.Machines:
	}
	return s.String()
}

// each writes a call for each node, or the command if there is none. The node is the first
// argument of the format.
func each(s hint.Step, format string, more ...any) string {
	if len(s.Nodes) == 0 {
		return s.String()
	}
	calls := make([]string, len(s.Nodes))
	for i, node := range s.Nodes {
		calls[i] = fmt.Sprintf(format, append([]any{node}, more...)...)
	}
	return strings.Join(calls, "; ")
}

// literal writes a text as it is read most easily.
func literal(text string) string {
	if strings.ContainsAny(text, `"\`) && strconv.CanBackquote(text) {
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}

// synced writes a sync with an option, which may be "".
func synced(s hint.Step, option string) string {
	var fields []string
	if len(s.Nodes) > 0 {
		nodes := make([]string, len(s.Nodes))
		for i, node := range s.Nodes {
			nodes[i] = strconv.Quote(node)
		}
		fields = append(fields, "Nodes: []string{"+strings.Join(nodes, ", ")+"}")
	}
	if option != "" {
		fields = append(fields, option)
	}
	return "c.Controller().Sync(ctx, orchestrator.SyncOptions{" + strings.Join(fields, ", ") + "})"
}

// started writes a start with its settings: the test starts the cluster, so that one that
// is kept is started by running the test again.
func started(s hint.Step) string {
	source, again := "source", ""
	var settings []string
	for _, setting := range s.Args {
		switch key, value, _ := strings.Cut(setting, ": "); key {
		case "source":
			source = literal(value)
		case "file":
			source = literal(filepath.Dir(value))
		case "keep_on_failure":
			again = keepVariable + "=1 go test"
		default:
			settings = append(settings, setting)
		}
	}
	call := cmp.Or(again, "testsupport.Start(t, "+source+")")
	if len(settings) == 0 {
		return call
	}
	return call + " with " + set(hint.Setting(settings...))
}

// set writes settings as options of this package, and the others as fields of the spec.
func set(s hint.Step) string {
	var options, fields []string
	for _, setting := range s.Args {
		key, value, _ := strings.Cut(setting, ": ")
		if option := option(key, value); option != "" && len(s.Nodes) == 0 {
			options = append(options, option)
			continue
		}
		if len(s.Nodes) > 0 {
			key = "nodes." + key
		}
		field, ok := config.Field(key)
		if !ok {
			return s.String()
		}
		fields = append(fields, strings.TrimSuffix(strings.TrimPrefix(field, "Nodes.")+": "+value, ": "))
	}
	if len(fields) > 0 {
		of := ""
		if len(s.Nodes) > 0 {
			of = " of " + strings.Join(s.Nodes, ", ")
		}
		options = append(options, strings.Join(fields, " and ")+of+" in testsupport.WithSpec")
	}
	return strings.Join(options, " and ")
}

// option returns the option of this package for a setting, or "".
func option(key, value string) string {
	switch variable, isEnv := strings.CutPrefix(key, "env."); {
	case isEnv:
		return fmt.Sprintf("testsupport.WithEnv(%q, %s)", variable, literal(value))
	case key == "nodes":
		return fmt.Sprintf("testsupport.WithNodes(%s)", value)
	case key == "name" && value == "":
		return "testsupport.WithName"
	case key == "name":
		return fmt.Sprintf("testsupport.WithName(%q)", value)
	case key == "keep_on_failure":
		return keepVariable + "=1"
	case key == "distribution.overlapping_partitions":
		return "testsupport.WithOverlappingPartitions()"
	}
	return ""
}
