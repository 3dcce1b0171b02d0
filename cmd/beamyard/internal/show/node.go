package show

import (
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// State describes a node's state in a few words, with the SGR code of its colour; "" for none.
func State(s orchestrator.Status, n orchestrator.NodeStatus, now time.Time) (text, color string) {
	text = string(n.State)
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if n.Paused {
		return "Paused", "33"
	}
	switch n.State {
	case orchestrator.Ready:
		return text, "32"
	case orchestrator.BackingOff:
		text = strings.TrimSpace("BACKOFF " + n.Restarts)
		if wait := n.NextRestartAt.Sub(now); !n.NextRestartAt.IsZero() {
			text += fmt.Sprintf(", next in %ds", max(0, int(wait.Round(time.Second).Seconds())))
		}
		return text + endText(n.LastExit), "33"
	case orchestrator.Failed:
		return text + endText(n.LastExit), "31"
	case orchestrator.Degraded, orchestrator.Unreachable:
		return text, "33"
	case orchestrator.Running:
		return text + " (unsupervised)", "33"
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Starting, orchestrator.Stopping:
		return text, "36"
	case orchestrator.Stopped, orchestrator.Completed:
		text += endText(n.LastExit)
		if !s.Supervised {
			text += " (unsupervised)"
		}
		return text, "2"
	}
	return text, ""
}

// endText describes how a run ended if the state does not say so: ", oom".
func endText(e *orchestrator.Exit) string {
	if e == nil {
		return ""
	}
	switch e.Class {
	case orchestrator.ExitStopped, orchestrator.ExitCompleted:
		return ""
	case orchestrator.ExitCrashed, orchestrator.ExitBoot:
		return fmt.Sprintf(", %s (exit %d)", e.Class, e.Code)
	case orchestrator.ExitKilled, orchestrator.ExitOOM, orchestrator.ExitStoppedOutside, orchestrator.ExitRemoved, orchestrator.ExitStartError:
		return ", " + string(e.Class)
	}
	return ""
}

// Uptime is the duration of the current run, or "" without one.
func Uptime(n orchestrator.NodeStatus, now time.Time) string {
	if !n.State.Running() || n.StartedAt.IsZero() {
		return ""
	}
	return Span(now.Sub(n.StartedAt))
}

// Span formats a duration with its two largest units: "12s", "3m05s", "2h10m", "4d03h".
func Span(d time.Duration) string {
	s := max(0, int(d.Seconds()))
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}
