// Package history keeps what was reported to one cluster, within bounds.
//
//	Events        what users see, numbered; the last 1000
//	Journal       what the engine, users and nodes reported; the last 10,000 entries
//	Subscription  which of the engine's events were delivered, across broken streams
//
// # Threads
//
// Events and Journal are safe for concurrent use. The goroutine that listens to the engine owns
// its Subscription.
package history
