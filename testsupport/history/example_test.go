package history_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/testsupport/history"
)

// tb stands for the *testing.T of a test, and prints what it reports.
type tb struct{ testing.TB }

func (tb) Helper()                           {}
func (tb) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// A set that forgets an element that it acknowledged. The outcome of another element is
// unknown, so it may be missing.
func Example() {
	var t testing.TB = tb{} // the test's own

	set := map[string]bool{}
	h := history.New() // in a test with a cluster: history.New(c)
	for _, name := range []string{"apple", "pear", "plum"} {
		_, _ = history.Do(h, "client 1", history.Add{Value: name}, func() (any, error) {
			if name == "plum" {
				return nil, errors.New("timeout")
			}
			set[name] = true
			return nil, nil
		})
	}
	h.NothingLost(t, history.Elements([]string{"apple", "pear"}))
	fmt.Println("nothing is lost")
	// Output: nothing is lost
}
