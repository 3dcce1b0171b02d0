package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/sentinels"
)

// kinds names the sentinels on the wire. An error may match several.
var kinds = append(slices.Clone(sentinels.All),
	sentinels.Sentinel{Name: "supervised", Err: ErrSupervised},
	sentinels.Sentinel{Name: "canceled", Err: context.Canceled},
	sentinels.Sentinel{Name: "deadline", Err: context.DeadlineExceeded},
)

// wireError is an error on the wire.
type wireError struct {
	Text     string                     `json:"text"`
	Hint     hint.Hint                  `json:"hint,omitempty"`
	Kinds    []string                   `json:"kinds,omitempty"`
	Spec     []orchestrator.Problem     `json:"spec,omitempty"`    // of a SpecError
	Cluster  string                     `json:"cluster,omitempty"` // of a ClusterError
	Problems []orchestrator.NodeProblem `json:"problems,omitempty"`
	Kept     bool                       `json:"kept,omitempty"`
	Findings []orchestrator.Finding     `json:"findings,omitempty"` // of a DiagnosedError
	Eval     *orchestrator.EvalError    `json:"eval,omitempty"`
}

// EncodeError encodes an error as JSON for [DecodeError]; nil becomes null.
func EncodeError(err error) []byte {
	data, jsonErr := json.Marshal(toWire(err))
	if jsonErr != nil { // strings and numbers always encode
		panic(jsonErr)
	}
	return data
}

// DecodeError decodes the output of [EncodeError]. The second result is non-nil if data
// is not such output.
func DecodeError(data []byte) (decoded, err error) {
	var w *wireError
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, err
	}
	return w.err(), nil
}

func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error(), Hint: orchestrator.HintOf(err)}
	for _, k := range kinds {
		if errors.Is(err, k.Err) {
			w.Kinds = append(w.Kinds, k.Name)
		}
	}
	var diagnosed *orchestrator.DiagnosedError
	if errors.As(err, &diagnosed) {
		w.Findings = diagnosed.Findings
	}
	// Only a bare typed error crosses the wire as that type: the text of an error that wraps it
	// would be lost.
	var spec *orchestrator.SpecError
	if errors.As(err, &spec) && spec.Error() == w.Text {
		w.Spec = spec.Problems
	}
	var raised *orchestrator.EvalError
	if errors.As(err, &raised) && raised.Error() == w.Text {
		w.Eval = raised
	}
	var cluster *orchestrator.ClusterError
	if errors.As(err, &cluster) && cluster.Error() == w.Text {
		w.Cluster, w.Problems, w.Kept = cluster.Cluster, cluster.Problems, cluster.Kept
	}
	return w
}

func (w *wireError) err() error {
	switch {
	case w == nil:
		return nil
	case w.Eval != nil:
		return w.Eval
	case len(w.Spec) > 0:
		return &orchestrator.SpecError{Problems: w.Spec}
	case w.Cluster != "":
		kind := orchestrator.ErrNotReady
		for _, k := range w.Kinds {
			if k == "node-failed" {
				kind = orchestrator.ErrNodeFailed
			}
		}
		return &orchestrator.ClusterError{Cluster: w.Cluster, Kind: kind, Problems: w.Problems, Kept: w.Kept}
	}
	plain := &remoteError{text: w.Text}
	for _, name := range w.Kinds {
		for _, k := range kinds { // a kind of a newer version is skipped: text and hint remain
			if k.Name == name {
				plain.kinds = append(plain.kinds, k.Err)
			}
		}
	}
	if len(w.Findings) > 0 {
		return &orchestrator.DiagnosedError{Err: plain, Findings: w.Findings}
	}
	if len(w.Hint) == 0 {
		return plain
	}
	return &orchestrator.HintError{Err: plain, Next: w.Hint}
}

// remoteError is an error of the other side, with the sentinels that it matched there.
type remoteError struct {
	text  string
	kinds []error
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.kinds }

// frame is one line of a stream.
type frame[T any] struct {
	Item  *T         `json:"item,omitempty"`
	Error *wireError `json:"error,omitempty"`
	End   bool       `json:"end,omitempty"`
}

// line is a Line on the wire. Text may contain any bytes, which JSON strings cannot: such a
// text is sent as base64.
type line struct {
	orchestrator.Line
	Raw []byte `json:"raw,omitempty"`
}

func toWireLine(l orchestrator.Line) line {
	if utf8.ValidString(l.Text) {
		return line{Line: l}
	}
	raw := []byte(l.Text)
	l.Text = ""
	return line{Line: l, Raw: raw}
}

func (l line) line() orchestrator.Line {
	if l.Raw != nil {
		l.Text = string(l.Raw)
	}
	return l.Line
}

// evalRequest is the body of /eval.
type evalRequest struct {
	Node       string `json:"node"`
	Expression string `json:"expression"`
	File       string `json:"file,omitempty"`
	Erlang     bool   `json:"erlang,omitempty"`
}

// evalPart is printed output, or the value, as bytes: a binary of the node need not be UTF-8.
type evalPart struct {
	Output []byte `json:"output,omitempty"`
	Value  []byte `json:"value,omitempty"`
	Done   bool   `json:"done,omitempty"` // Value is set
}

// nodesRequest is the body of the /nodes endpoints.
type nodesRequest struct {
	Nodes  []string `json:"nodes"`
	Signal string   `json:"signal,omitempty"`
}

// Supervisor describes the process that serves a cluster.
type Supervisor struct {
	Cluster    string `json:"cluster"`
	PID        int    `json:"pid"`
	Goroutines int    `json:"goroutines"` // of its process, to detect leaks
}
