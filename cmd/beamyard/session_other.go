//go:build !unix

package main

import (
	"os"
)

// notifyResize knows of no signal for a new size.
func notifyResize(chan<- os.Signal) {}
