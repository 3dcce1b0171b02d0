package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Changes within the quiet time cause one call. Changes during the call cause the next
// one.
func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		saved := make(chan []string)
		began := time.Now()
		var mu sync.Mutex
		var calls []string
		over := make(chan error)
		go func() {
			over <- debounce(ctx, saved, func(_ context.Context, paths []string) {
				mu.Lock()
				calls = append(calls, time.Since(began).String()+" "+strings.Join(paths, " "))
				mu.Unlock()
				time.Sleep(time.Second)
			})
		}()
		saved <- []string{"b"}
		time.Sleep(200 * time.Millisecond)
		saved <- []string{"a", "b"}
		time.Sleep(700 * time.Millisecond) // the call began at 500 ms
		saved <- []string{"c"}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if got, want := strings.Join(calls, ", "), "500ms a b, 1.8s c"; got != want {
			t.Errorf("called at %s, want %s", got, want)
		}
	})
}

// If some file is written continuously, more often than the quiet time, fn is called for
// the other changes.
func TestDebounceIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		saved, over := make(chan []string), make(chan error)
		began := time.Now()
		calls := make(chan string, 100)
		go func() {
			over <- debounce(ctx, saved, func(_ context.Context, paths []string) {
				calls <- time.Since(began).String() + " " + strings.Join(paths, " ")
				time.Sleep(500 * time.Millisecond)
			})
		}()
		saved <- []string{"a.ex"}
		for range 50 { // 5 s
			time.Sleep(100 * time.Millisecond)
			saved <- []string{"log"}
		}
		time.Sleep(time.Minute)
		cancel()
		<-over
		close(calls)
		var got []string
		for c := range calls {
			got = append(got, c)
		}
		// The second call comes 2 s after the end of the first, for the changes meanwhile.
		if got, want := strings.Join(got, ", "), "2s a.ex log, 4.5s log, 5.3s log"; got != want {
			t.Errorf("called at %s, want %s", got, want)
		}
	})
}

// Ctrl-C while fn runs: Watch waits for fn.
func TestDebounceEndsWithItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		saved, over := make(chan []string), make(chan error)
		ended := false
		go func() {
			over <- debounce(ctx, saved, func(ctx context.Context, _ []string) {
				<-ctx.Done()
				time.Sleep(time.Second)
				ended = true
			})
		}()
		saved <- []string{"a"}
		time.Sleep(time.Second)
		cancel()
		if <-over; !ended {
			t.Error("Watch did not wait for fn")
		}
	})
}

func TestLoops(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	for _, test := range []struct {
		name  string
		every int // milliseconds between the end of a sync and the next one
		paths string
		want  string
	}{
		{"right after each", 400, "a a a a a", "4:a"},
		{"continuous changes", 3000, "a a a a a a", ""},
		{"different files", 400, "a b a b a b", ""},
		{"with others", 400, "a,b a,c a,d a,e", "4:a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l Loops
			var got []string
			now := 10_000
			for i, paths := range strings.Fields(test.paths) {
				for _, p := range l.Note(strings.Split(paths, ","), at(now), at(now+200)) {
					got = append(got, string(rune('1'+i))+":"+p)
				}
				now += 200 + test.every
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("reported %v, want %s", got, test.want)
			}
		})
	}
}

// A file in a folder that is created later is reported, but an ignored file is not.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	calls, ready, over := make(chan []string, 10), make(chan struct{}), make(chan error)
	go func() {
		over <- Watch(ctx, dir, func(p string) bool { return strings.HasPrefix(p, "_build") }, func() { close(ready) },
			func(_ context.Context, paths []string) { calls <- paths })
	}()
	<-ready
	for _, p := range []string{"_build/x", "lib/.#a.ex", "lib/deep/a.ex", "4913"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, p), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(<-calls, " "); got != "lib/deep/a.ex" {
		t.Errorf("reported %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "lib/deep/a.ex")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(<-calls, " "); got != "lib/deep/a.ex" {
		t.Errorf("after a removal, reported %q", got)
	}
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
