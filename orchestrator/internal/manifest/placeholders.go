package manifest

import (
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Words returns the replacements of the placeholders for node i.
func Words(s orchestrator.Spec, i int) *strings.Replacer {
	names, node := s.Names(), s.Nodes[i].Name
	return strings.NewReplacer(
		"{node}", names.Node(node),
		"{host}", names.Hostname(node),
		"{ip}", s.Address(i),
		"{name}", node,
		"{cluster}", s.Name,
		"{index}", strconv.Itoa(i),
		"{dist_port}", strconv.Itoa(s.Distribution.Port),
		"{dist_flags}", ProtocolFlags(s.Distribution),
		"{http_port}", strconv.Itoa(s.NodeAt(i).HTTPPort),
	)
}

func replaced(words *strings.Replacer, list []string) []string {
	var text []string
	for _, word := range list {
		text = append(text, words.Replace(word))
	}
	return text
}
