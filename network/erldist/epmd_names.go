package erldist

import (
	"fmt"
	"strings"
)

// ParseNames parses the output of epmd -names: one line "name app at port 9100" for
// each node. Source: epmd(1).
func ParseNames(printed string) map[string]int {
	ports := map[string]int{}
	for line := range strings.Lines(printed) {
		var name string
		var port int
		if n, _ := fmt.Sscanf(line, "name %s at port %d", &name, &port); n == 2 {
			ports[name] = port
		}
	}
	return ports
}
