package e2e_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
)

// A distribution over TLS: nodes and Beamyard accept only who has a certificate of the cluster's
// authority, and everything that works over TCP works.
func TestDistributionOverTLS(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			r := up(t, engine(t), otp.base, 2, func(s *orchestrator.Spec) {
				s.Source, s.MixEnv, s.Distribution.TLS.Enabled = p.dir, "test", true
				if otp.base == newest {
					s.Distribution.Names = orchestrator.IPNames // certificates for addresses
				}
			})
			// A connection over TLS has a process where one over TCP has a port.
			const secured = `{:init.get_argument(:proto_dist) == {:ok, [[to_charlist("inet_tls")]]}, for({n, c} <- :erlang.system_info(:dist_ctrl), n in Node.list(), do: is_pid(c))}`
			r.answers(secured, "{true, [true]}", "n1", "n2")
			r.strangersAreRefused()
			if mode := r.exec("n1", "stat", "-c", "%a", "/.beamyard/tls/key.pem"); mode != "400" {
				t.Errorf("the key has mode %s", mode)
			}
			// Our process and the shell; a connection that was just closed may still count.
			r.shell("n1", "iex", "{node(), length(Node.list(:hidden)) >= 2}", "{:\""+r.node("n1").Node+"\", true}")

			p.version("", "101")
			r.synced("synced Demo.Router on n1 n2")
			if err := r.Kill(t.Context(), "KILL", "n2"); err != nil {
				t.Fatal(err)
			}
			r.until("n2", "is restarted", func(n orchestrator.NodeStatus) bool {
				return n.Incarnation == 2 && n.State == orchestrator.Ready
			})
			r.ready()
			r.serves("101", "n1", "n2")
			r.answers(secured, "{true, [true]}", "n1", "n2")

			down := r.nodedowns("n1", "n2")
			f := r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Reset}, 0)
			eventually(t, "n1 loses n2", func() bool { return down() == 1 })
			r.heal(f.ID)
			r.tells("")
			if otp.base == newest {
				r.suiteOverTLS()
				return
			}
			// A release: its own commands connect to its node.
			p.edit("mix.exs", "extra_applications: [", "extra_applications: [:ssl, ")
			released := up(t, engine(t), otp.base, 2, func(s *orchestrator.Spec) {
				s.Source, s.Release, s.Distribution.TLS.Enabled = p.dir, true, true
			})
			if got := released.exec("n1", images.ReleaseScript, "rpc", secured+" |> IO.inspect()"); got != "{true, [true]}" {
				t.Errorf("rpc of the release: %s", got)
			}
		})
	}
}

// strangersAreRefused dials n1 as others could who know the cookie.
func (r *running) strangersAreRefused() {
	r.t.Helper()
	n := r.node("n1")
	found, err := discovery.Find(r.t.Context(), r.eng, r.name)
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := r.eng.Info(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	addr := found.DistAddr(info, "n1")
	other, err := dist.WithAuthority(orchestrator.Spec{Cookie: found.Spec.Cookie, Distribution: orchestrator.Distribution{TLS: orchestrator.TLS{Enabled: true}}}, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	stranger, err := dist.Dialer(other, "")
	if err != nil {
		r.t.Fatal(err)
	}
	anonymous, err := dist.Dialer(found.Spec, "")
	if err != nil {
		r.t.Fatal(err)
	}
	anonymous.TLS.Certificates = nil
	imposter, err := dist.Dialer(found.Spec, "") // it trusts the node, which does not trust it
	if err != nil {
		r.t.Fatal(err)
	}
	imposter.TLS.Certificates = stranger.TLS.Certificates
	for name, tt := range map[string]struct {
		dialer *erldist.Dialer
		want   []error
	}{
		"over TCP":               {&erldist.Dialer{Cookie: found.Spec.Cookie}, []error{erldist.ErrTLS}},
		"with another authority": {stranger, []error{erldist.ErrCertificate}},
		// The node may close the connection before its alert is read.
		"without a certificate":                   {anonymous, []error{erldist.ErrCertificate, erldist.ErrRefused}},
		"with a certificate of another authority": {imposter, []error{erldist.ErrCertificate, erldist.ErrRefused}},
	} {
		conn, err := tt.dialer.Dial(r.t.Context(), n.Node, addr)
		if err == nil {
			_ = conn.Close()
		}
		ok := false
		for _, want := range tt.want {
			ok = ok || errors.Is(err, want)
		}
		if !ok {
			r.t.Errorf("%s: %v", name, err)
		}
	}
	// A VM on the network of the nodes, with their cookie: it is in ERL_AFLAGS.
	ping := func(flags string) string {
		r.t.Helper()
		return r.exec("n2", "sh", "-c", `exec erl -noshell -hidden -dist_listen false -start_epmd false -erl_epmd_port 9100 -name ping@other.test `+flags+
			` -eval 'io:put_chars(atom_to_list(net_adm:ping(list_to_atom("`+n.Node+`")))), halt().'`)
	}
	if got := ping("-proto_dist inet_tcp"); !strings.Contains(got, "pang") {
		r.t.Errorf("a VM without TLS: %s", got)
	}
	if got := ping("-proto_dist inet_tls -ssl_dist_opt client_verify verify_none"); !strings.Contains(got, "pang") {
		r.t.Errorf("a VM without a certificate: %s", got)
	}
	if got := ping("-proto_dist inet_tls -ssl_dist_optfile /.beamyard/tls/dist.conf"); !strings.Contains(got, "pong") {
		r.t.Errorf("a VM with the certificate of n2: %s", got)
	}
}

// suiteOverTLS runs the project's tests, whose VM is a node too.
func (r *running) suiteOverTLS() {
	r.t.Helper()
	st, err := r.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	found, err := discovery.Find(r.t.Context(), r.eng, r.name)
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	code, err := discovery.RunSuite(r.t.Context(), r.eng, found, discovery.Suite{Image: st.Image, Args: []string{"--only", "mesh"}, Output: func(l orchestrator.Line) error {
		lines = append(lines, l.Text)
		return nil
	}})
	if said := strings.Join(lines, "\n"); err != nil || code != 0 || !strings.Contains(said, "0 failures") {
		r.t.Errorf("exit %d, %v:\n%s", code, err, said)
	}
}
