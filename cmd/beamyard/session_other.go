//go:build !unix

package main

import (
	"os"
)

// notifyResize does nothing: there is no signal for a new size.
func notifyResize(chan<- os.Signal) {}
