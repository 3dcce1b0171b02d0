//go:build !linux

package fault

import "errors"

// Features reports no support: containers run on another kernel than this system's.
func Features() Support {
	no := feature(errors.New("this is not Linux"))
	return Support{Nftables: no, Reset: no, Destroy: no, HTB: no, Netem: no}
}
