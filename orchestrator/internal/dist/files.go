package dist

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Files returns the files of a VM whose distribution speaks TLS, by their path in its container:
// its identity, and the settings that [manifest.TLSFlags] name. It returns none for a cluster
// without TLS. host is the host part of the VM's node name.
func Files(s orchestrator.Spec, host string, now time.Time) (map[string][]byte, error) {
	if !s.Distribution.TLS.Enabled {
		return nil, nil
	}
	own, err := load(s.Distribution.TLS, host, now)
	if err != nil {
		return nil, err
	}
	// Certificates of the user's own name their production hosts, not those of this cluster.
	names := ""
	if s.Distribution.TLS.CA != "" {
		names = ", {server_name_indication, disable}"
	}
	common := fmt.Sprintf(`{certfile, %q}, {keyfile, %q}, {cacertfile, %q}, {verify, verify_peer}`, manifest.TLSCert, manifest.TLSKey, manifest.TLSAuthority)
	return map[string][]byte{
		manifest.TLSAuthority: own.ca,
		manifest.TLSCert:      own.cert,
		manifest.TLSKey:       own.key,
		manifest.TLSOptions:   fmt.Appendf(nil, "[{server, [%s, {fail_if_no_peer_cert, true}]},\n {client, [%[1]s%s]}].\n", common, names),
	}, nil
}

// load returns the identity of a VM, or of this process, at a host.
func load(t orchestrator.TLS, host string, now time.Time) (identity, error) {
	if t.CA == "" {
		return identityOf(t, host, now)
	}
	var own identity
	for _, file := range []struct {
		path string
		into *[]byte
	}{{t.CA, &own.ca}, {t.Cert, &own.cert}, {t.Key, &own.key}} {
		content, err := os.ReadFile(file.path)
		if err != nil {
			return own, orchestrator.WithHint(fmt.Errorf("read a file of distribution.tls: %w", err), "paths are relative to beamyard.yml; tls: true makes certificates for this cluster")
		}
		*file.into = content
	}
	if _, err := own.config(); err != nil {
		return own, orchestrator.WithHint(fmt.Errorf("distribution.tls: %s, %s and %s: %w", t.CA, t.Cert, t.Key, err),
			"look at them: openssl x509 -noout -subject -issuer -dates -in %s", t.Cert)
	}
	return own, nil
}

// CertificateEnds returns when the first certificate of a cluster ends: that of the user's file, or of
// the cluster's authority. It is zero without TLS, and if there is none to read.
func CertificateEnds(s orchestrator.Spec) time.Time {
	if !s.Distribution.TLS.Enabled {
		return time.Time{}
	}
	own, err := load(s.Distribution.TLS, "", time.Now())
	if err != nil {
		return time.Time{}
	}
	pair, err := tls.X509KeyPair(own.cert, own.key)
	if err != nil {
		return time.Time{}
	}
	ends := pair.Leaf.NotAfter
	for _, der := range pair.Certificate[1:] { // the authorities between
		if c, err := x509.ParseCertificate(der); err == nil && c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
	}
	return ends
}
