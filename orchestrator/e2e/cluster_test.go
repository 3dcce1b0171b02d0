package e2e_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// Most scenarios share a cluster and leave it as they found it. Each release of OTP has
// three such clusters. The scenarios of a cluster run one after the other.

// scenario is a test that shares its cluster.
type scenario struct {
	name string
	on   string // the only base to run on, if the scenario does not depend on OTP
	do   func(t *testing.T, r *running)
}

// scenarios runs scenarios on a cluster, which must be ready after each except the last.
func scenarios(t *testing.T, r *running, base string, all []scenario) {
	t.Helper()
	all = slices.DeleteFunc(all, func(s scenario) bool { return s.on != "" && s.on != base })
	for i, s := range all {
		ok := t.Run(s.name, func(t *testing.T) { s.do(t, r.in(t)) })
		if !ok {
			t.Fatalf("the cluster may be damaged after %q", s.name)
		}
		if i+1 < len(all) {
			r.ready()
		}
	}
}

// in returns the cluster for use in a subtest.
func (r *running) in(t testing.TB) *running {
	in := *r
	in.t = t
	return &in
}

// newest is the base for scenarios that do not depend on the OTP release.
const newest = "trixie"

// Three nodes with the default settings.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 3, func(s *orchestrator.Spec) { s.Owner = keeper.Self(true) })
			scenarios(t, r, otp.base, []scenario{
				{name: "the main job", do: mainJob},
				{name: "eval and monitor nodes", do: evalAndMonitorNodes},
				{name: "disconnect from all", do: disconnectFromAll},
				{name: "health", do: healthOfThree},
				{name: "metrics", do: metricsOfThree},
				{name: "nothing stays of a health report", on: newest, do: nothingRemainsOfAHealthReport},
				{name: "a command that is not waited for", on: newest, do: commandThatIsNotWaitedFor},
				{name: "a port of another cluster", on: newest, do: portOfAnotherCluster},
				{name: "a cluster that exists", on: newest, do: clusterThatExists},
				{name: "stop, start, restart", on: newest, do: stopStartRestart},
				{name: "from outside", on: newest, do: fromOutside},
				{name: "down", on: otps[0].base, do: func(t *testing.T, r *running) {
					if err := r.Down(t.Context()); err != nil {
						t.Error(err)
					}
				}},
				{name: "adoption", on: newest, do: adoption},
			})
		})
	}
}

const cookie, token = "the-cookie-0123456789", "token-0123456789"

// Two nodes with secrets, custom checks, and a port.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	for i, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			pool := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 216, 4, byte(i * 64)}), 26) // a pool for one cluster
			r := up(t, engine(t), otp.base, 2, func(s *orchestrator.Spec) {
				s.Pool = pool
				s.Cookie, s.Env, s.Secrets = cookie, map[string]string{"TOKEN": token}, []string{"TOKEN"}
				s.Nodes[0].Ports = []orchestrator.PortSpec{{Container: 9568}}
				s.Checks = []orchestrator.Check{
					{Name: "nodes over HTTP", HTTP: "/nodes"},
					{Name: "flag", RPC: "Application.get_env(:demo, :flag, {:ok, 1})", Expect: "{:ok, 1}"},
					{Name: "file", Exec: []string{"sh", "-c", "test ! -e /tmp/full || { echo it is full >&2; exit 4; }"}, Nodes: []string{"n2"}},
				}
			})
			scenarios(t, r, otp.base, []scenario{
				{name: "loopback is forwarded", do: loopbackIsForwarded},
				{name: "a full address pool", on: newest, do: fullAddressPool},
				{name: "checks of one's own", do: customChecks},
				{name: "evidence", do: evidenceOfRealNodes},
				{name: "a pair that is cut", do: pairThatIsCut},
				{name: "nodes that do not agree", do: connectedNodesThatDoNotAgree},
			})
		})
	}
}

// One node with little memory, without UTF-8, and with a check that may hang.
func TestOneNode(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 1, func(s *orchestrator.Spec) {
				s.Env = map[string]string{"LANG": "C", "LC_ALL": "C", "ERL_AFLAGS": "-heart"}
				s.Memory, s.Health.Memory = 256<<20, 0.6
				s.Checks = []orchestrator.Check{{
					Name: "hangs", Timeout: 300 * time.Millisecond,
					RPC: "if Application.get_env(:demo, :hangs), do: Process.sleep(:infinity), else: true",
				}}
			})
			scenarios(t, r, otp.base, []scenario{
				{name: "remarks of a node that is well", do: remarksOfNodesThatAreWell},
				{name: "nothing stays of a check that hangs", do: nothingRemainsOfAHangingCheck},
				{name: "near its memory limit", do: nearItsMemoryLimit},
			})
		})
	}
}
