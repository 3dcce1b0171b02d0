package dist

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// Dialer returns what dials the nodes of a cluster, over TLS if they speak it. name is that of
// [erldist.Dialer].Name. The error is that of a file of [orchestrator.TLS].
func Dialer(s orchestrator.Spec, name string) (*erldist.Dialer, error) {
	d := &erldist.Dialer{Cookie: s.Cookie, Name: name}
	if !s.Distribution.TLS.Enabled {
		return d, nil
	}
	own, err := load(s.Distribution.TLS, Host(orchestrator.SupervisorNode), time.Now())
	if err != nil {
		return nil, err
	}
	if d.TLS, err = own.config(); err != nil {
		return nil, err
	}
	if s.Distribution.TLS.CA != "" {
		acceptAnyHost(d.TLS)
	}
	return d, nil
}

// acceptAnyHost makes a connection verify that the node's certificate is of the authorities, and
// not what it is for.
func acceptAnyHost(c *tls.Config) {
	c.InsecureSkipVerify = true // VerifyConnection verifies the chain
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the node has no certificate")
		}
		chain := x509.NewCertPool()
		for _, more := range state.PeerCertificates[1:] {
			chain.AddCert(more)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: c.RootCAs, Intermediates: chain, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
}

// Host returns the host part of a node name.
func Host(node string) string {
	_, host, _ := strings.Cut(node, "@")
	return host
}
