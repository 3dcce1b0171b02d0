package keeper

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestOwner(t *testing.T) {
	self := Self(false)
	if alive, known := Alive(self); !alive || !known {
		t.Errorf("this process: alive %t, known %t", alive, known)
	}
	other := self
	other.Start += "0" // its process ID has been given to another process
	if alive, known := Alive(other); alive || !known {
		t.Errorf("an earlier process: alive %t, known %t", alive, known)
	}
	other = self
	other.Host = "elsewhere"
	if _, known := Alive(other); known {
		t.Error("a process of another machine is known")
	}
}

// A detached owner ends; another process that has its number by now, or one that is not detached, is
// left alone.
func TestEndingAnOwner(t *testing.T) {
	sleeper := exec.CommandContext(t.Context(), "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleeper.Wait() }()
	owner := Self(true)
	owner.PID, owner.Start = sleeper.Process.Pid, processStart(sleeper.Process.Pid)
	other, attached := owner, owner
	other.Start += "0"
	attached.Detached = false
	for _, c := range []struct {
		what  string
		owner orchestrator.Owner
		alive bool
	}{{"another process", other, true}, {"a foreground one", attached, true}, {"the owner", owner, false}, {"it again", owner, false}} {
		if err := End(t.Context(), c.owner); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if alive, _ := Alive(owner); alive != c.alive {
			t.Errorf("after ending %s: alive %t", c.what, alive)
		}
	}
	<-ended
	if status, ok := sleeper.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want SIGTERM", sleeper.ProcessState)
	}
}
