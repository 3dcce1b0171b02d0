package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// officialBase is the first reference that "auto" tries.
const officialBase = "elixir:1.18-otp-27-slim"

// ensureBase finds or makes the base of a Mix project.
func ensureBase(ctx context.Context, eng Engine, base string, progress io.Writer) (ref string, info Info, err error) {
	if _, ok := suites[base]; ok {
		src := Source{Kind: Debian, Suite: base}
		info, _, err = ensureDebian(ctx, eng, src, progress)
		return debianRef(src), info, err
	}
	if strings.HasPrefix(base, rootfsPrefix) {
		src, err := Detect(base)
		if err != nil {
			return "", Info{}, err
		}
		info, _, err = ensureDebian(ctx, eng, src, progress)
		return debianRef(src), info, err
	}
	if base != "" && base != "auto" {
		if !reference.MatchString(base) {
			return "", Info{}, &SourceError{base, "is not a base image", "give auto, one of " + suiteNames() + ", or an image's name"}
		}
		info, _, err = ensure(ctx, eng, base, progress)
		return base, info, err
	}
	// The base that was used before is used again: an image must not change because a registry
	// becomes reachable.
	for _, ref := range Bases() {
		if info, err = eng.Image(ctx, ref); err == nil {
			return ref, info, nil
		} else if !errors.Is(err, ErrNotFound) {
			return "", Info{}, err
		}
	}
	info, _, noPull := ensure(ctx, eng, officialBase, progress)
	if noPull == nil {
		return officialBase, info, nil
	}
	if ctx.Err() != nil {
		return "", Info{}, ctx.Err()
	}
	fmt.Fprintln(progress, noPull)
	src := Source{Kind: Debian, Suite: defaultSuite}
	info, _, err = ensureDebian(ctx, eng, src, progress)
	if err != nil {
		return "", Info{}, fmt.Errorf("%s; %w", noPull.Error(), err) // one hint: what to install
	}
	return debianRef(src), info, nil
}

// NoImageError reports a reference that the engine does not have and cannot pull.
type NoImageError struct {
	Ref string
	Err error // wraps ErrNotFound or ErrNoRegistry
}

func (e *NoImageError) Error() string {
	if errors.Is(e.Err, ErrNoRegistry) {
		return fmt.Sprintf("image %s is not on the engine, and no registry answers", e.Ref)
	}
	return fmt.Sprintf("image %s is not on the engine and cannot be pulled: %v", e.Ref, e.Err)
}
func (e *NoImageError) Unwrap() error { return e.Err }

// Hint returns the command to type.
func (e *NoImageError) Hint() hint.Hint {
	return hint.Text("check the name, or bring it with `docker load`; a folder is given as a path: ./" + path.Base(e.Ref))
}

// answerWithin limits how long a registry may take to begin its answer. Engines give up after
// 15 s if packets are dropped (Client.Timeout of their /v2/ request) and at once if a name does
// not resolve, but some try several mirrors in turn. A transfer that has begun may take any
// time.
const answerWithin = 30 * time.Second

// ensure returns the image of a reference, and pulls it if it is missing.
func ensure(ctx context.Context, eng Engine, ref string, progress io.Writer) (info Info, pulled bool, err error) {
	info, err = eng.Image(ctx, ref)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return info, false, err
	}
	fmt.Fprintf(progress, "pulling %s\n", ref)
	if err := pull(ctx, eng, ref, progress); err != nil {
		if ctx.Err() != nil {
			return Info{}, false, ctx.Err()
		}
		return Info{}, false, &NoImageError{ref, err}
	}
	info, err = eng.Image(ctx, ref)
	return info, err == nil, err
}

func pull(ctx context.Context, eng Engine, ref string, progress io.Writer) error {
	silent := fmt.Errorf("%w within %s", ErrNoRegistry, answerWithin)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(answerWithin, func() { cancel(silent) })
	defer timer.Stop()
	err := eng.Pull(ctx, ref, heard{progress, timer})
	if err != nil && errors.Is(context.Cause(ctx), silent) {
		return silent
	}
	return err
}

// heard stops a timer at the first write.
type heard struct {
	io.Writer
	timer *time.Timer
}

func (h heard) Write(p []byte) (int, error) {
	h.timer.Stop()
	return h.Writer.Write(p)
}
