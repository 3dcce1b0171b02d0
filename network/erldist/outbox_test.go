package erldist

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutboxMakesSendersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := outbox{wake: make(chan struct{}, 1)}
		done := make(chan struct{})
		o.push(make([]byte, outboxLimit))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := o.put(ctx, done, []byte("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("full: %v, want DeadlineExceeded", err)
		}
		o.tick() // nothing happens: there is something to write
		if len(o.buf) != outboxLimit {
			t.Errorf("%d bytes are queued", len(o.buf))
		}

		sent := make(chan error)
		for range 2 {
			go func() { sent <- o.put(t.Context(), done, []byte("a")) }()
		}
		synctest.Wait()
		o.swap()
		if err := errors.Join(<-sent, <-sent); err != nil || string(o.buf) != "aa" {
			t.Errorf("with room: %v, %q", err, o.buf)
		}

		o.push(make([]byte, outboxLimit))
		time.AfterFunc(time.Second, func() { close(done) })
		if err := o.put(t.Context(), done, []byte("a")); !errors.Is(err, ErrClosed) {
			t.Errorf("ended while waiting: %v, want ErrClosed", err)
		}
	})
}

func TestOutboxReleasesALargeMessage(t *testing.T) {
	o := outbox{wake: make(chan struct{}, 1)}
	o.push(make([]byte, 3*outboxLimit))
	o.swap()
	if o.swap(); cap(o.buf) > outboxLimit {
		t.Errorf("%d bytes are kept", cap(o.buf))
	}
}
