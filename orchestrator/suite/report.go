package suite

import (
	"context"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// maxEvidence is the number of failed tests of a suite with evidence of their own: it takes
// seconds, and megabytes.
const maxEvidence = 5

// do returns what is known of the cluster at the failure of a test, and where the evidence is.
func (r report) do(ctx context.Context, s *Server) (any, error) {
	st, err := s.Cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	var evidence any
	text := account(st)
	if s.Evidence != nil {
		s.mu.Lock()
		s.reports++
		n := s.reports
		s.mu.Unlock()
		switch {
		case n > maxEvidence:
			text += fmt.Sprintf("evidence: only the first %d failed tests have it\n", maxEvidence)
		default:
			path, err := s.Evidence(ctx, fmt.Errorf("%s failed", r.test))
			if err != nil {
				text += fmt.Sprintf("evidence could not be kept: %v\n", err)
				break
			}
			text += "evidence: " + path + "\n"
			evidence = path
		}
	}
	return record("text", secrets.Redactor(s.Spec).Replace(text), "evidence", evidence), nil
}

// account describes the cluster of a failed test: its nodes, their findings, and the faults in
// force.
func account(st orchestrator.Status) string {
	var b strings.Builder
	for _, n := range st.Nodes {
		fmt.Fprintf(&b, "%s is %s", n.Name, n.State)
		if n.Reason != "" {
			b.WriteString(": " + n.Reason)
		}
		b.WriteByte('\n')
		for _, f := range n.Findings {
			fmt.Fprintf(&b, "  %s\n", f)
			for _, s := range f.Solutions {
				fmt.Fprintf(&b, "    %s\n", s.Hint())
			}
		}
	}
	for _, f := range st.Faults {
		fmt.Fprintf(&b, "fault %s: %s\n", f.ID, f)
	}
	return b.String()
}
