//go:build !linux

package faults

import "errors"

func enter() error { return errors.ErrUnsupported }

func enterNetwork(int, string) error { return errors.ErrUnsupported }

func fill(string) error { return errors.ErrUnsupported }
