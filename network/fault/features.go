package fault

// Support is what a kernel can do for faults.
type Support struct {
	Nftables Feature `json:"nftables"` // rules: partitions, and losses by chance
	Netem    Feature `json:"netem"`    // a queue that delays, jitters and loses
	TBF      Feature `json:"tbf"`      // a queue with a rate
}

// Feature is one of them.
type Feature struct {
	Works bool   `json:"works"`
	Why   string `json:"why,omitempty"` // the kernel's words where it does not
}

// feature makes one of the error of its use.
func feature(err error) Feature {
	if err != nil {
		return Feature{Why: err.Error()}
	}
	return Feature{Works: true}
}
