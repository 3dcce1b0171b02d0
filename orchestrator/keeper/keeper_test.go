package keeper

import "testing"

func TestOwner(t *testing.T) {
	self := Self(false)
	if alive, known := Alive(self); !alive || !known {
		t.Errorf("this process: alive %t, known %t", alive, known)
	}
	other := self
	other.Start += "0" // the pid was given to another process since
	if alive, known := Alive(other); alive || !known {
		t.Errorf("an earlier process: alive %t, known %t", alive, known)
	}
	other = self
	other.Host = "elsewhere"
	if _, known := Alive(other); known {
		t.Error("another machine is known")
	}
}
