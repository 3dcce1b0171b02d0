package top

import (
	"errors"
	"fmt"
	"runtime/debug"

	tea "charm.land/bubbletea/v2"
)

// ErrPanic says that a bug ended the view.
var ErrPanic = errors.New("panic")

// guarded ends the program at a panic of its model, in the way in which q ends it: Bubble Tea's own
// way (v2.1.1) restores the terminal while its goroutines still write to it.
type guarded struct {
	tea.Model
	failed *error // shared by all copies
}

func (g guarded) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	defer func() {
		if g.caught(recover()) {
			next, cmd = g, tea.Quit
		}
	}()
	if *g.failed != nil {
		return g, tea.Quit
	}
	m, cmd := g.Model.Update(msg)
	return guarded{m, g.failed}, cmd
}

func (g guarded) View() (v tea.View) {
	defer func() { g.caught(recover()) }()
	if *g.failed != nil {
		return v
	}
	return g.Model.View()
}

// caught notes a panic, unless it is nil.
func (g guarded) caught(bug any) bool {
	if bug != nil {
		*g.failed = fmt.Errorf("%w: %v\n%s", ErrPanic, bug, debug.Stack())
	}
	return bug != nil
}
