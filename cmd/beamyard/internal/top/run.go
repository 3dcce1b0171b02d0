package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Options say what [Run] shows, and where.
type Options struct {
	Cluster  string
	Connect  Connect
	ReadOnly bool // no key acts on the cluster
	Colors   bool
	In       io.Reader // a terminal
	Out      io.Writer // a terminal
}

// Run shows the cluster until q is pressed, which returns nil. [ErrInterrupted] is Ctrl-C, and
// ctx's error is its end. The terminal is restored in each case, after a panic and at SIGQUIT too.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &operator{ctx: ctx}
	// The command line has its own handler of signals, which ends ctx.
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithoutSignalHandler()}
	if !o.Colors {
		options = append(options, tea.WithColorProfile(colorprofile.Ascii))
	}
	var bug error
	p := tea.NewProgram(guarded{newModel(o.Cluster, o.ReadOnly, o.Colors, h, time.Now()), &bug}, options...)
	h.feed = newFeed(o.Connect, p.Send)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { h.feed.run(ctx) })
	defer onQuit(p.Kill)()
	_, err := p.Run()
	switch {
	case bug != nil:
		return fmt.Errorf("draw the cluster: %w", bug)
	case errors.Is(err, tea.ErrProgramPanic): // in a command: Bubble Tea has printed it
		return fmt.Errorf("draw the cluster: %w", err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrInterrupted):
		return ErrInterrupted
	}
	return err
}

// ErrInterrupted says that Ctrl-C was pressed.
var ErrInterrupted = errors.New("interrupted")

// onQuit restores the terminal at SIGQUIT, which then ends the process as Go does it: stop waits
// for that.
func onQuit(restore func()) (stop func()) {
	quit, done, over := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(quit, syscall.SIGQUIT)
	go func() {
		defer close(over)
		select {
		case s := <-quit:
			restore()
			signal.Stop(quit)
			if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(s) == nil { // with its default action
				select {}
			}
		case <-done:
			signal.Stop(quit)
		}
	}()
	return func() { close(done); <-over }
}

// operator carries out what the keys ask for.
type operator struct {
	ctx  context.Context // of Run, whose keys these are
	feed *feed
}

func (h *operator) do(a Action, node string) error { return h.feed.act(h.ctx, a, node) }
func (h *operator) follow(node string)             { h.feed.follow(node) }

// Page returns the cluster as a text of this width, as it is now.
func Page(ctx context.Context, o Options, width int) (string, error) {
	s, err := Look(ctx, o.Connect)
	if err != nil {
		return "", err
	}
	m := newModel(o.Cluster, false, o.Colors, nil, time.Now())
	m.known, m.width = true, width
	m.status, m.report, m.relations, m.events = s.Status, s.Health, s.Relations, s.events
	return m.page(), nil
}
