package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Views read the same thing from several nodes: one function for each node's name.
// testsupport.Each makes them of a call.
type Views[T any] map[string]func(context.Context) (T, error)

// Unique checks that every name has at most one holder, such as one pid, in the views of all
// nodes together. A view has the holders of each name as one node sees them. Pids must be
// comparable across nodes: erldist.Pid is, and a pid's text on a node is not.
//
// The nodes have time to settle: the views are read again until they pass, or within has
// passed. A node that does not answer does not pass, and neither do views without any name.
// The error names each holder and who sees it, and the faults of the logs.
func Unique[Holder comparable](tb testing.TB, within time.Duration, views Views[map[string][]Holder], logs ...FaultLog) {
	tb.Helper()
	settle(tb, within, views, unique, logs)
}

// Converges checks that all nodes give the same value, as compared by reflect.DeepEqual. The
// views are read again until they pass, or within has passed. A node that does not answer
// does not pass. The error has the nodes' values, and the faults of the logs.
func Converges[T any](tb testing.TB, within time.Duration, views Views[T], logs ...FaultLog) {
	tb.Helper()
	settle(tb, within, views, agree, logs)
}

// longestPause is the interval between reads, after shorter ones at first.
const longestPause = 250 * time.Millisecond

// settle reads views until a judgement passes.
func settle[T any](tb testing.TB, within time.Duration, views Views[T], judge func(map[string]T) error, logs []FaultLog) {
	tb.Helper()
	if len(views) == 0 {
		tb.Errorf("%v: there are no views", errNothing)
		return
	}
	ctx, cancel := context.WithTimeout(tb.Context(), within)
	defer cancel()
	var err error
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		values, silent := views.read(ctx)
		now := silent
		if silent == nil {
			now = judge(values)
		}
		if now == nil {
			return
		}
		if err == nil || ctx.Err() == nil { // a read that was cut off has no news
			err = now
		}
		select {
		case <-time.After(pause):
			continue
		case <-ctx.Done():
		}
		break
	}
	tb.Errorf("within %v: %v%s", within, err, faultsUntil(time.Now(), merge(nil, logs)))
}

// read reads all views at once. The error names each node that did not answer.
func (views Views[T]) read(ctx context.Context) (map[string]T, error) {
	var (
		group   sync.WaitGroup
		mu      sync.Mutex
		values  = map[string]T{}
		problem = map[string]error{}
	)
	for node, view := range views {
		group.Go(func() {
			value, err := view(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				problem[node] = fmt.Errorf("%s does not answer: %w", node, err)
				return
			}
			values[node] = value
		})
	}
	group.Wait()
	var all []error
	for _, node := range slices.Sorted(maps.Keys(problem)) {
		all = append(all, problem[node])
	}
	return values, errors.Join(all...)
}

// unique judges the holders of names.
func unique[Holder comparable](views map[string]map[string][]Holder) error {
	seenBy := map[string]map[Holder][]string{} // name → holder → nodes
	for _, node := range slices.Sorted(maps.Keys(views)) {
		for name, holders := range views[node] {
			for _, h := range holders {
				if seenBy[name] == nil {
					seenBy[name] = map[Holder][]string{}
				}
				if !slices.Contains(seenBy[name][h], node) {
					seenBy[name][h] = append(seenBy[name][h], node)
				}
			}
		}
	}
	if len(seenBy) == 0 {
		return fmt.Errorf("%w: no node sees a holder of any name", errNothing)
	}
	var shared []string
	for _, name := range slices.Sorted(maps.Keys(seenBy)) {
		if len(seenBy[name]) < 2 {
			continue
		}
		var holders []string
		for h, nodes := range seenBy[name] {
			holders = append(holders, fmt.Sprintf("%s (seen by %s)", short(h), strings.Join(nodes, ", ")))
		}
		slices.Sort(holders)
		shared = append(shared, fmt.Sprintf("  %s: %s", name, strings.Join(holders, ", ")))
	}
	if len(shared) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d names have more than one holder:\n%s", len(shared), len(seenBy), strings.Join(shared, "\n"))
}

// agree judges whether values are equal.
func agree[T any](values map[string]T) error {
	var groups [][]string // nodes with equal values
	for _, node := range slices.Sorted(maps.Keys(values)) {
		at := slices.IndexFunc(groups, func(g []string) bool { return reflect.DeepEqual(values[g[0]], values[node]) })
		if at < 0 {
			groups = append(groups, []string{node})
			continue
		}
		groups[at] = append(groups[at], node)
	}
	if len(groups) < 2 {
		return nil
	}
	lines := []string{"the nodes do not agree:"}
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("  %s: %s", strings.Join(g, ", "), short(values[g[0]])))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// short writes a value in at most 200 characters.
func short(v any) string {
	const most = 200
	text := []rune(fmt.Sprintf("%+v", v))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// faultsUntil lists faults with the time that has passed since.
func faultsUntil(now time.Time, faults []Fault) string {
	var b strings.Builder
	for _, f := range faults {
		end := "still in force"
		if !f.End.IsZero() {
			end = fmt.Sprintf("healed %v ago", now.Sub(f.End).Round(time.Millisecond))
		}
		fmt.Fprintf(&b, "\nfault: %s, begun %v ago, %s", f.What, now.Sub(f.Begin).Round(time.Millisecond), end)
	}
	return b.String()
}
