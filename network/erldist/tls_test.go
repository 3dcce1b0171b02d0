package erldist

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// issue returns a certificate for a host, signed by an authority of that call.
func issue(t testing.TB, host string) (certificate tls.Certificate, authority *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if certificate.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	authority = x509.NewCertPool()
	authority.AddCert(certificate.Leaf)
	return certificate, authority
}

// identities returns the settings of a node and of this end, which accept each other.
func identities(t testing.TB) (node, ours *tls.Config) {
	theirs, theirCA := issue(t, "n1.demo.test")
	own, ownCA := issue(t, "beamyard.invalid")
	return &tls.Config{Certificates: []tls.Certificate{theirs}, ClientCAs: ownCA, ClientAuth: tls.RequireAndVerifyClientCert},
		&tls.Config{Certificates: []tls.Certificate{own}, RootCAs: theirCA}
}

func TestTLSRefusals(t *testing.T) {
	node, ours := identities(t)
	changed := func(c *tls.Config, f func(*tls.Config)) *tls.Config { c = c.Clone(); f(c); return c }
	stranger, strangers := issue(t, "n1.demo.test")
	tests := []struct {
		name string
		p    *peer
		ours *tls.Config
		node string
		want error
		hint string
	}{
		{"the node is of another authority", &peer{tls: node}, changed(ours, func(c *tls.Config) { c.RootCAs = strangers }), testNode, ErrCertificate, "same authority"},
		{"the node's certificate is for another host", &peer{tls: node}, ours, "app@n2.demo.test", ErrCertificate, "same authority"},
		{"the node is a stranger", &peer{tls: changed(node, func(c *tls.Config) { c.Certificates = []tls.Certificate{stranger} })}, ours, testNode, ErrCertificate, "same authority"},
		{"we have no certificate", &peer{tls: node}, changed(ours, func(c *tls.Config) { c.Certificates = nil }), testNode, ErrCertificate, "same authority"},
		{"the node speaks no TLS", &peer{greets: "HTTP/1.1 400 Bad Request\r\n\r\n"}, ours, testNode, ErrNoTLS, "-proto_dist inet_tls"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.p.loopback(t)
			d.TLS = tt.ours
			_, err := d.Dial(t.Context(), tt.node, "the node")
			var dial *DialError
			if !errors.As(err, &dial) || !errors.Is(err, tt.want) || !strings.Contains(dial.Hint(), tt.hint) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// loopback connects to p by TCP: the side of a pipe that refuses the other would wait for ever
// until it has read the rest.
func (p *peer) loopback(t testing.TB) *Dialer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if nc, err := l.Accept(); err == nil {
			p.serve(nc)
		}
	}()
	t.Cleanup(func() { l.Close(); <-served })
	return &Dialer{Cookie: testCookie, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}}
}
