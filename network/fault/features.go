package fault

// Support reports which features for network faults a kernel has.
type Support struct {
	Nftables Feature `json:"nftables"` // rules that end by themselves: cuts, and random packet loss
	Reset    Feature `json:"reset"`    // rules that refuse packets
	Destroy  Feature `json:"destroy"`  // connections can be reset from outside
	HTB      Feature `json:"htb"`      // queues by peer, with rate limits
	Netem    Feature `json:"netem"`    // a queue with delay, jitter and more
	TBF      Feature `json:"tbf"`      // a queue with a rate limit
}

// Feature reports whether a kernel has one feature.
type Feature struct {
	Works bool   `json:"works"`
	Why   string `json:"why,omitempty"` // the kernel's error, if it does not
}

// feature makes one of the error of its use.
func feature(err error) Feature {
	if err != nil {
		return Feature{Why: err.Error()}
	}
	return Feature{Works: true}
}
