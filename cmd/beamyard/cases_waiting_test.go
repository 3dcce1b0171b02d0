package main

import "testing"

// A node that crashes because another service is missing is restarted until the service
// is there, within the restart budget. Its state says what it waits for.
func TestCaseWaitByCrashing(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	out := c.up(exitOK, "08-wait-by-crashing/beamyard.yml")
	seed := "n1." + c.cluster + ".test"
	c.says(out,
		"waits for app@"+seed+": no ", // "no connection", and then "no such process there"
		"waits for "+seed+":5999: connection refused, 1 try; restart 1/30",
		"peer-not-there: n2", "n3 ready", "ready: 3 nodes, every pair connected",
	)
	members, code := c.run("rpc", c.cluster+"/n1", "Grove.Seed.members()")
	if want := "[:\"app@n2." + c.cluster + ".test\"]\n"; code != 0 || members != want {
		t.Errorf("members %s, want %s", members, want)
	}
}
