package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// ejabberd, as packaged by Debian, starts from its own beamyard.yml without a
// distribution port. Each node is found by its EPMD, also after a crash, and all share
// one database. Its PID file is in a tmpfs.
func TestEjabberd(t *testing.T) {
	t.Parallel()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	b := startExample(t, eng, "ejabberd", clusterName("ejabberd"), 26200)
	if port := b.Spec().Distribution.Port; port != 0 {
		t.Fatalf("the port is fixed: %d", port)
	}
	const database = "length(mnesia:system_info(running_db_nodes))"
	if got := b.eval("n1", database); got != "3" {
		t.Errorf("the database runs on %s nodes", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.node("n2").URL+"/api/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(said), "is started") {
		t.Errorf("status: %s, %v", said, err)
	}
	mounts, err := orchestrator.Command(t.Context(), eng, b.node("n3").ContainerID, []string{"cat", "/proc/mounts"})
	if err != nil || !strings.Contains(mounts.Stdout, "tmpfs /run/ejabberd") {
		t.Errorf("no tmpfs at /run/ejabberd: %v\n%s", err, mounts.Stdout)
	}
	if err := b.Kill(t.Context(), "KILL", "n2"); err != nil {
		t.Fatal(err)
	}
	b.until("n2", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation > 1 && n.State == orchestrator.Ready })
	if got := b.eval("n2", database); got != "3" {
		t.Errorf("after a crash the database runs on %s nodes", got)
	}
	b.end()
}
