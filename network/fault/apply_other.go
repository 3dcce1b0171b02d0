//go:build !linux

package fault

import (
	"context"
	"errors"
	"net/netip"
)

// Apply fails: containers run on another kernel than this system's.
func Apply(Rules) error { return errors.ErrUnsupported }

// Read fails: containers run on another kernel than this system's.
func Read() (Rules, error) { return Rules{}, errors.ErrUnsupported }

// ResetConnections fails: containers run on another kernel than this system's.
func ResetConnections(...netip.Addr) (int, error) { return 0, errors.ErrUnsupported }

// Resolve fails: containers run on another kernel than this system's.
func Resolve(context.Context, []Answer, func()) error { return errors.ErrUnsupported }
