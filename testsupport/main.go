package testsupport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Main runs the tests of a package, and returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(testsupport.Main(m)) }
//
// It is optional. It sets up testcontainers before any test uses it, removes the shared
// clusters at the end instead of leaving that to the watchdog, and fails the package if
// containers, networks or volumes of the package are left.
func Main(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// If no engine answers, each test that needs one reports it, and others run.
	s, joined := join(ctx)
	if joined != nil && !errors.Is(joined, orchestrator.ErrEngineUnreachable) {
		fmt.Fprintln(os.Stderr, "testsupport: "+hinted(joined))
	}
	code := m.Run()
	if err := finishShares(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "testsupport: remove the shared clusters: "+hinted(err))
		code = max(code, 1)
	}
	if joined != nil || keeping() {
		return code
	}
	left, err := leftOf(ctx, s, nil, time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsupport: look for what is left: "+hinted(err))
		return max(code, 1)
	}
	if len(left) > 0 {
		fmt.Fprintln(os.Stderr, leakText("the tests of this package", left))
		code = max(code, 1)
	}
	return code
}

// finishShares removes the shared clusters.
func finishShares(ctx context.Context) error {
	shares.mu.Lock()
	defer shares.mu.Unlock()
	var errs []error
	for _, s := range shares.byKey {
		if s.cluster != nil {
			errs = append(errs, s.remove(ctx))
		}
	}
	return errors.Join(errs...)
}
