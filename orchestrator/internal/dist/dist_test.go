package dist

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

func secured(t *testing.T) orchestrator.Spec {
	t.Helper()
	s, err := WithAuthority(orchestrator.Spec{Name: "shop", Distribution: orchestrator.Distribution{TLS: orchestrator.TLS{Enabled: true}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// node returns the settings of a VM with these files, as dist.conf says them.
func node(t *testing.T, files map[string][]byte) *tls.Config {
	t.Helper()
	own, err := tls.X509KeyPair(files[manifest.TLSCert], files[manifest.TLSKey])
	if err != nil {
		t.Fatal(err)
	}
	peers := x509.NewCertPool()
	if !peers.AppendCertsFromPEM(files[manifest.TLSAuthority]) {
		t.Fatal("the authority is not PEM")
	}
	return &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: peers, ClientAuth: tls.RequireAndVerifyClientCert}
}

// agree completes the handshake of TLS between a VM and this process, for a host.
func agree(vm, ours *tls.Config, host string) error {
	a, b := net.Pipe()
	theirs := make(chan error, 1)
	go func() {
		defer a.Close()
		_ = a.SetDeadline(time.Now().Add(time.Minute))
		theirs <- tls.Server(a, vm).Handshake()
	}()
	set := ours.Clone()
	set.ServerName = host
	_ = b.SetDeadline(time.Now().Add(time.Minute))
	err := tls.Client(b, set).Handshake()
	b.Close()
	return errors.Join(err, <-theirs)
}

func TestEachSideVerifiesTheOther(t *testing.T) {
	s, other := secured(t), secured(t)
	files := func(s orchestrator.Spec, host string) map[string][]byte {
		t.Helper()
		files, err := Files(s, host, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	dialer := func(s orchestrator.Spec) *tls.Config {
		t.Helper()
		d, err := Dialer(s, "")
		if err != nil {
			t.Fatal(err)
		}
		return d.TLS
	}
	for name, tt := range map[string]struct {
		vm, ours *tls.Config
		host     string
		agree    bool
	}{
		"a node by its name":     {node(t, files(s, "n1.shop.test")), dialer(s), "n1.shop.test", true},
		"a node by its address":  {node(t, files(s, "10.213.7.2")), dialer(s), "10.213.7.2", true},
		"a short name":           {node(t, files(s, "n1")), dialer(s), "n1", true},
		"another node":           {node(t, files(s, "n2.shop.test")), dialer(s), "n1.shop.test", false},
		"a node of another one":  {node(t, files(other, "n1.shop.test")), dialer(s), "n1.shop.test", false},
		"we are of another one":  {node(t, files(s, "n1.shop.test")), dialer(other), "n1.shop.test", false},
		"we have no certificate": {node(t, files(s, "n1.shop.test")), &tls.Config{RootCAs: dialer(s).RootCAs}, "n1.shop.test", false},
	} {
		if err := agree(tt.vm, tt.ours, tt.host); (err == nil) != tt.agree {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := string(files(s, "n1")[manifest.TLSOptions]); got != `[{server, [{certfile, "/.beamyard/tls/cert.pem"}, {keyfile, "/.beamyard/tls/key.pem"}, {cacertfile, "/.beamyard/tls/ca.pem"}, {verify, verify_peer}, {fail_if_no_peer_cert, true}]},
 {client, [{certfile, "/.beamyard/tls/cert.pem"}, {keyfile, "/.beamyard/tls/key.pem"}, {cacertfile, "/.beamyard/tls/ca.pem"}, {verify, verify_peer}]}].
` {
		t.Errorf("dist.conf:\n%s", got)
	}
}

func TestWithoutTLS(t *testing.T) {
	s, err := WithAuthority(orchestrator.Spec{Name: "shop"}, time.Now())
	files, bad := Files(s, "n1", time.Now())
	d, worse := Dialer(s, "")
	if err := errors.Join(err, bad, worse); err != nil || s.Distribution.TLS != (orchestrator.TLS{}) || files != nil || d.TLS != nil {
		t.Errorf("got %v, %v, %v, %v", err, s.Distribution.TLS, files, d)
	}
	s = secured(t)
	if again, err := WithAuthority(s, time.Now()); err != nil || again.Distribution != s.Distribution {
		t.Errorf("the authority of a cluster changed: %v", err)
	}
}

func TestFilesOfTheUser(t *testing.T) {
	made, err := identityOf(secured(t).Distribution.TLS, "production.example.org", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := identityOf(secured(t).Distribution.TLS, "n1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, cert, key := write("ca.pem", made.ca), write("cert.pem", made.cert), write("key.pem", made.key)
	spec := func(ca, cert, key string) orchestrator.Spec {
		return orchestrator.Spec{Distribution: orchestrator.Distribution{TLS: orchestrator.TLS{Enabled: true, CA: ca, Cert: cert, Key: key}}}
	}
	s := spec(ca, cert, key)
	if with, err := WithAuthority(s, time.Now()); err != nil || with.Distribution != s.Distribution {
		t.Errorf("it got an authority: %v", err)
	}
	files, err := Files(s, "n1.shop.test", time.Now())
	if err != nil || !strings.Contains(string(files[manifest.TLSOptions]), "{client, ") || !strings.Contains(string(files[manifest.TLSOptions]), "{server_name_indication, disable}]}].") {
		t.Fatalf("%v\n%s", err, files[manifest.TLSOptions])
	}
	d, err := Dialer(s, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := agree(node(t, files), d.TLS, "n1.shop.test"); err != nil {
		t.Errorf("its host name counts: %v", err)
	}
	if ends := CertificateEnds(s); time.Until(ends) < 9*365*24*time.Hour {
		t.Errorf("the user's certificate ends %s", ends)
	}
	unknown := node(t, map[string][]byte{manifest.TLSCert: stranger.cert, manifest.TLSKey: stranger.key, manifest.TLSAuthority: made.ca})
	if err := agree(unknown, d.TLS, "n1.shop.test"); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("a stranger: %v", err)
	}
	for name, tt := range map[string]struct {
		spec orchestrator.Spec
		want string
	}{
		"a missing file":    {spec(ca, cert, key+"x"), "no such file"},
		"the key of others": {spec(ca, cert, write("other", stranger.key)), "private key does not match public key"},
		"no PEM":            {spec(write("text", []byte("text")), cert, key), "no certificate in PEM"},
	} {
		_, err := Dialer(tt.spec, "")
		if err == nil || !strings.Contains(err.Error(), tt.want) || orchestrator.HintOf(err).String() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificatesOutliveTheirCluster(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s, err := WithAuthority(orchestrator.Spec{Distribution: orchestrator.Distribution{TLS: orchestrator.TLS{Enabled: true}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	own, err := identityOf(s.Distribution.TLS, "n1", now)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(own.cert)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if ends := CertificateEnds(s); !ends.Equal(certificate.NotAfter) {
		t.Errorf("the certificates end %s, and are said to end %s", certificate.NotAfter, ends)
	}
	if ends := CertificateEnds(orchestrator.Spec{}); !ends.IsZero() {
		t.Errorf("without TLS: %s", ends)
	}
	if certificate.NotBefore.After(now.AddDate(0, 0, -29)) || certificate.NotAfter.Before(now.AddDate(9, 0, 0)) {
		t.Errorf("valid from %s to %s", certificate.NotBefore, certificate.NotAfter)
	}
}

func TestADamagedAuthority(t *testing.T) {
	s := secured(t)
	for name, damage := range map[string]func(*orchestrator.TLS){
		"no base64":      func(t *orchestrator.TLS) { t.Authority = "?" },
		"no certificate": func(t *orchestrator.TLS) { t.Authority = "AAAA" },
		"no key":         func(t *orchestrator.TLS) { t.AuthorityKey = "AAAA" },
		"key: no base64": func(t *orchestrator.TLS) { t.AuthorityKey = "?" },
	} {
		broken := s
		damage(&broken.Distribution.TLS)
		if _, err := Dialer(broken, ""); err == nil || !strings.Contains(err.Error(), "read the authority of the cluster") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
