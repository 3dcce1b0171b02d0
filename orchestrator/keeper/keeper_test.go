package keeper

import "testing"

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
