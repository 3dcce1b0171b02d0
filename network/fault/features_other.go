//go:build !linux

package fault

import "errors"

// Features of systems that are not Linux: containers do not run on their kernel.
func Features() Support {
	no := feature(errors.New("this is not Linux"))
	return Support{Nftables: no, Netem: no, TBF: no}
}
