package network

import (
	"net/netip"
	"testing"
)

func TestFreeSubnets(t *testing.T) {
	for _, tt := range []struct {
		pool      string
		taken     []netip.Prefix
		free, all int
	}{
		{"10.213.0.0/16", nil, 1024, 1024},
		{"10.213.0.0/16", prefixes("10.213.0.0/26", "10.213.0.64/26", "172.17.0.0/16"), 1022, 1024},
		{"10.213.0.0/16", prefixes("10.213.0.0/26", "10.213.0.1/32", "10.213.0.0/28"), 1023, 1024}, // one subnet, three times
		{"10.213.0.0/16", prefixes("10.213.4.0/24"), 1020, 1024},
		{"10.213.0.0/16", prefixes("10.0.0.0/8"), 0, 1024},
		{"10.213.0.0/25", prefixes("10.213.0.0/26", "10.213.0.64/27"), 0, 2},
		{"10.213.0.0/26", nil, 1, 1},
		{"10.213.0.0/27", nil, 0, 0},
		{"fd00::/8", nil, 0, 0},
	} {
		free, all := FreeSubnets(netip.MustParsePrefix(tt.pool), tt.taken)
		if free != tt.free || all != tt.all {
			t.Errorf("%s with %v: %d of %d, want %d of %d", tt.pool, tt.taken, free, all, tt.free, tt.all)
		}
	}
}
