package codesync

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/network/erldist"
)

// played is a connection to a VM that is played by a test.
type played struct {
	mu   sync.Mutex
	said []string
	call func(function string, args []any) any
	eval func(expressions string, bindings map[string]any) any
}

func (p *played) Call(_ context.Context, _, function string, args ...any) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, function)
	return p.call(function, args), nil
}

func (p *played) Eval(_ context.Context, expressions string, bindings map[string]any) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.eval(expressions, bindings), nil
}

func (p *played) Close() error { return nil }

// If a node's user may not write its files, the engine writes them. If several nodes need
// that at once, in one sync, the compiler's output is read once for all of them. (A
// regression test: each node read it for itself and wrote to the same map, which ended
// the supervisor.)
func TestNodesThatMayNotWriteShareOneFetch(t *testing.T) {
	const nodes, files = 8, 50
	d := delta{}
	for i := range files {
		p := fmt.Sprintf("/app/lib/%d.ex", i)
		d.files = append(d.files, File{Path: p, Mode: 0o644, Sum: md5.Sum([]byte(p))})
	}
	reads := 0
	compilerVM := &played{call: func(function string, args []any) any {
		if function != "read" {
			t.Errorf("the compiler is asked to %s", function)
			return nil
		}
		reads++
		bodies := erldist.List{}
		for _, p := range args[0].(erldist.List) {
			bodies = append(bodies, []byte(p.(string)))
		}
		return bodies
	}}
	// Each node lacks one file, which it may not write, and has the others.
	var all []Node
	written := make([]string, nodes)
	var together sync.WaitGroup // each node continues once all have got the refusal
	together.Add(nodes)
	for i := range nodes {
		lacking := d.files[i].Path
		vm := &played{eval: func(expressions string, bindings map[string]any) any {
			if expressions == sharedText+askText {
				return erldist.Map{{Key: erldist.Atom("lacks"), Value: erldist.List{lacking}}}
			}
			var unwritten erldist.List
			for _, f := range bindings["Files"].(erldist.List) {
				unwritten = append(unwritten, erldist.Tuple{f.(erldist.Tuple)[0], "permission denied"})
			}
			if len(unwritten) > 0 {
				together.Done()
				together.Wait()
			}
			return erldist.Map{{Key: erldist.Atom("unwritten"), Value: unwritten}}
		}}
		all = append(all, Node{Name: fmt.Sprintf("n%d", i+1), Conn: vm, Write: func(_ context.Context, r io.Reader) error {
			data, err := io.ReadAll(r)
			written[i] = string(data)
			return err
		}})
	}
	s := &Session{c: compiler{Conn: compilerVM, project: "."}, root: "/app", bodies: map[Sum][]byte{}, proven: map[Conn]map[string]Module{}}
	var report Report
	if err := s.bring(t.Context(), Options{Cluster: "shop", Nodes: all}, all, &d, &report); err != nil {
		t.Fatal(err)
	}
	if reads != 2 { // the missing files, and then all files
		t.Errorf("the compiler was read %d times, want 2", reads)
	}
	for i, archive := range written {
		for _, f := range d.files {
			if !strings.Contains(archive, f.Path) {
				t.Fatalf("n%d did not get %s", i+1, f.Path)
			}
		}
	}
}
