package dist

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Certificates are valid for longer than any cluster lives, and from before it began: faults change
// the clocks of nodes.
const (
	validBefore = 30 * 24 * time.Hour
	validFor    = 10 * 365 * 24 * time.Hour
)

// WithAuthority returns the spec with an authority of its own, if its distribution speaks TLS and
// has neither one yet nor files of the user's.
func WithAuthority(s orchestrator.Spec, now time.Time) (orchestrator.Spec, error) {
	t := &s.Distribution.TLS
	if !t.Enabled || t.CA != "" || t.Authority != "" {
		return s, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return s, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Beamyard cluster " + s.Name},
		NotBefore: now.Add(-validBefore), NotAfter: now.Add(validFor),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return s, err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return s, err
	}
	t.Authority, t.AuthorityKey = base64.StdEncoding.EncodeToString(certificate), base64.StdEncoding.EncodeToString(secret)
	return s, nil
}

// identity is a certificate with its key, and the authority that peers must have theirs from. All
// are PEM.
type identity struct{ ca, cert, key []byte }

// identityOf returns the identity of a VM, or of this process, at a host: a new certificate of the
// cluster's authority.
func identityOf(t orchestrator.TLS, host string, now time.Time) (identity, error) {
	fail := func(err error) (identity, error) {
		return identity{}, fmt.Errorf("read the authority of the cluster: %w", err)
	}
	der, err := base64.StdEncoding.DecodeString(t.Authority)
	if err != nil {
		return fail(err)
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	secret, err := base64.StdEncoding.DecodeString(t.AuthorityKey)
	if err != nil {
		return fail(err)
	}
	signer, err := x509.ParseECPrivateKey(secret)
	if err != nil {
		return fail(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host},
		NotBefore: now.Add(-validBefore), NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), signer)
	if err != nil {
		return identity{}, err
	}
	own, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return identity{}, err
	}
	return identity{ca: armor("CERTIFICATE", der), cert: armor("CERTIFICATE", certificate), key: armor("PRIVATE KEY", own)}, nil
}

func armor(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// config returns the settings of a connection from this process.
func (i identity) config() (*tls.Config, error) {
	own, err := tls.X509KeyPair(i.cert, i.key)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(i.ca) {
		return nil, fmt.Errorf("it has no certificate in PEM")
	}
	return &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: authorities, MinVersion: tls.VersionTLS12}, nil
}
