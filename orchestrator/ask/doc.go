// Package ask evaluates one Elixir expression on several nodes at once.
//
//	expression ─┐                       ┌─► n1 ─┐
//	            ├─► Everyone ──► Eval ──┼─► n2 ─┼─► Answer, Answer, Answer
//	render ─────┘                       └─► n3 ─┘
//
// The value stays on the node, where render turns it into text: a value can be a function, or
// too large to be sent. The text comes back unchanged, whatever characters it contains.
//
// # Threads
//
// Each node is asked in a goroutine that ends with the call.
package ask
