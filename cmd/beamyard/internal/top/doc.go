// Package top is the live view of a cluster on a terminal: its nodes, who sees whom, what is
// wrong, the faults in force, the last events, and keys that act on it.
//
//	supervisor ─┐           status, health,                 ┌─► View: a screen of text
//	labels ─────┴─ Link ──► events, lines ── feed ─► Model ─┤
//	                  ▲                               ▲     └─► an action, a log to follow ─┐
//	                  │                               └─ keys, size, clock                  │
//	                  └─────────────────────────────────────────────────────────────────────┘
//
// A [Model] is pure: a message and a state make the next state, and a state makes a screen of
// exactly the terminal's size. Nothing in it asks a cluster. What it shows of others is made
// printable first: see package show.
//
// Bubble Tea reads keys and sizes, draws only what changed, and restores the terminal. Drawing is
// plain text with the 16 colours of ECMA-48, so neither its styles (Lip Gloss) nor its widgets
// (Bubbles) are used; ansi of the same authors measures and cuts text with colours in it.
//
// # Loss of the supervisor
//
// The feed connects again every second, and the view goes on with what the engine and the nodes
// tell. The events and the log begin anew with each connection, without a gap or a repeat.
//
// # Threads
//
// [Run] blocks. Bubble Tea owns the model in its event loop, and runs each action on a goroutine
// of its own. The feed has one goroutine that connects, and for each connection one that asks for
// the status, one for the health, one that follows events and one that follows the log of a node.
// A panic of any of them is raised in the event loop, which restores the terminal. All have ended
// when Run returns, except an action that its cluster does not answer; its context is cancelled.
package top
