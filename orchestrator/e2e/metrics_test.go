package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/metrics"
)

// A scrape has the state of the cluster, and the figures of each of its nodes.
func metricsOfThree(t *testing.T, r *running) {
	w := httptest.NewRecorder()
	metrics.Handler(t.Context(), r.Cluster, metrics.Options{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	values := map[string]float64{}
	for line := range strings.Lines(w.Body.String()) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), "} ")
		var value float64
		if n, _ := fmt.Sscan(text, &value); n == 1 {
			values[name+"}"] = value
		}
	}
	for name, want := range map[string]float64{
		"beamyard_cluster_ready{cluster=%q}": 1, "beamyard_pairs_connected{cluster=%q}": 3, "beamyard_pairs_expected{cluster=%q}": 3,
		`beamyard_nodes{cluster=%q,state="ready"}`: 3, "beamyard_health_sample_failures_total{cluster=%q}": 0, "beamyard_events_missed_total{cluster=%q}": 0,
	} {
		if name = fmt.Sprintf(name, r.name); values[name] != want {
			t.Errorf("%s is %g, want %g", name, values[name], want)
		}
	}
	atLeast := func(least float64, name string, labels ...any) {
		if name = fmt.Sprintf(name, labels...); values[name] < least {
			t.Errorf("%s is %g, want at least %g", name, values[name], least)
		}
	}
	atLeast(3, "beamyard_node_ready_seconds_count{cluster=%q}", r.name)
	atLeast(0.1, "beamyard_node_ready_seconds_sum{cluster=%q}", r.name)
	for _, node := range []string{"n1", "n2", "n3"} {
		atLeast(10<<20, "beamyard_node_memory_bytes{cluster=%q,node=%q}", r.name, node)
		atLeast(10<<20, "beamyard_node_vm_memory_bytes{cluster=%q,node=%q}", r.name, node)
		atLeast(40, "beamyard_node_processes{cluster=%q,node=%q}", r.name, node)
		atLeast(5000, "beamyard_node_atoms{cluster=%q,node=%q}", r.name, node)
		atLeast(100000, "beamyard_node_atoms_limit{cluster=%q,node=%q}", r.name, node)
	}
}
