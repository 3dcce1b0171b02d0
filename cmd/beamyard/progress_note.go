package main

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Note prints a message about a new image. build.Prepare calls it if its progress writer
// implements it.
func (p *plainProgress) Note(text string) { p.event(noteOf(time.Now(), text)) }

// Note prints an event of kind "note".
func (p *jsonProgress) Note(text string) { p.event(noteOf(p.now(), text)) }

// Note prints a line above the nodes.
func (l *live) Note(text string) { l.event(noteOf(l.now(), text)) }

func noteOf(now time.Time, text string) orchestrator.Event {
	return orchestrator.Event{Time: now, Kind: orchestrator.EventNote, Text: text}
}
