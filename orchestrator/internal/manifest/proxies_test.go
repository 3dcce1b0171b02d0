package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

// The proxies of the Docker client's configuration are set on every node, unless its own
// environment sets them. The cluster itself is reached without them.
func TestProxies(t *testing.T) {
	proxies := map[string]string{"HTTP_PROXY": "http://me:s3cret%40@proxy:3128", "http_proxy": "http://me:s3cret%40@proxy:3128", "NO_PROXY": "localhost, .cases.test", "no_proxy": "localhost, .cases.test"}
	s := orchestrator.Spec{Name: "demo", Image: "demo:1", Nodes: orchestrator.NodeNames(2), Proxies: proxies}.Defaulted()
	without := "localhost,.cases.test,127.0.0.1,::1,.demo.test,10.213.0.0/16,n1,n1.demo.test,n2,n2.demo.test"
	all := []string{"HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"}
	want := map[string]string{"HTTP_PROXY": proxies["HTTP_PROXY"], "http_proxy": proxies["HTTP_PROXY"], "NO_PROXY": without, "no_proxy": without}
	if diff := cmp.Diff(want, variablesOf(s, all...)); diff != "" {
		t.Error(diff)
	}
	s.Env = map[string]string{"http_proxy": "", "NO_PROXY": "mine"}
	if diff := cmp.Diff(map[string]string{"http_proxy": "", "NO_PROXY": "mine"}, variablesOf(s, all...)); diff != "" {
		t.Errorf("what env: says: %s", diff)
	}
}
