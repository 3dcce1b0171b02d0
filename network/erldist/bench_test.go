package erldist

import (
	"context"
	"net"
	"testing"
)

// benchConn calls the fake peer over TCP, like a node.
func benchConn(b *testing.B) *Conn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	p := &peer{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if nc, err := l.Accept(); err == nil {
			p.serve(nc)
		}
	}()
	c, err := (&Dialer{Cookie: testCookie}).Dial(context.Background(), testNode, l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(); <-done })
	return c
}

func BenchmarkCall(b *testing.B) {
	c := benchConn(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Call(context.Background(), "erlang", "node"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallConcurrent(b *testing.B) {
	c := benchConn(b)
	b.ReportAllocs()
	b.SetParallelism(25) // 50 goroutines on 2 cores
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Call(context.Background(), "erlang", "node"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
