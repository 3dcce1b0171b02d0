// Package sentinels names the errors that users match with errors.Is, for what has no types: JSON,
// and the control socket.
//
//	errors.Is(err, orchestrator.ErrNoNode) ◄─► "no-node"
//
// # Threads
//
// None.
package sentinels
