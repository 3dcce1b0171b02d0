package network

import (
	"fmt"
	"strings"
	"testing"
)

// The socket tables of a container of a cluster with a Phoenix project.
const tables = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 301 1 0 100 0 0 10 0
   1: 0B00007F:9C40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 302 1 0 100 0 0 10 0
   2: 00000000:238C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 303 1 0 100 0 0 10 0
   3: 0207D50A:0FA0 0107D50A:C001 01 00000000:00000000 00:00000000 00000000  1000        0 304 1 0 100 0 0 10 0
   4: 0207D50A:0FA1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 305 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0FA2 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 306 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:0FA3 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 307 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:0FA4 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 308 1 0 100 0 0 10 0
`

func TestAddressesThatListen(t *testing.T) {
	const want = "[127.0.0.1:4000 0.0.0.0:9100 10.213.7.2:4001 [::1]:4002 [::]:4003 127.0.0.1:4004]"
	if got := fmt.Sprint(Listeners(strings.NewReader(tables))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, text := range []string{"", "0: 0100:0FA0 0 0A 0 0 0 0 0 1", "0: XX:0FA0 0 0A 0 0 0 0 0 1", "0: 0100007F 0 0A 0 0 0 0 0 1"} {
		if got := Listeners(strings.NewReader(text)); len(got) != 0 {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzListeners(f *testing.F) {
	f.Add(tables)
	f.Fuzz(func(_ *testing.T, text string) { Listeners(strings.NewReader(text)) })
}
