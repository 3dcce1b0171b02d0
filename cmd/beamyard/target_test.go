package main

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

func TestNodesByTheirNames(t *testing.T) {
	for text, want := range map[string][2]string{
		"n1":                         {"", "n1"},
		"demo/n1":                    {"demo", "n1"},
		"pubsub_app/n1":              {"pubsub-app", "n1"},
		"Demo/n1":                    {"demo", "n1"},
		"n1.demo.test":               {"demo", "n1"},
		"n1.demo":                    {"demo", "n1"},
		"app@n1.demo.test":           {"demo", "n1"},
		"app@n1":                     {"", "n1"},
		"demo/app@n1.demo.test":      {"demo", "n1"},
		"other/n1.demo.test":         {"other", "n1"},
		"beamyard-demo-n1":           {"demo", "n1"},
		"beamyard-my-shop-n1":        {"my-shop", "n1"},
		"beamyard-shop-db--1":        {"shop", "db-1"},
		"beamyard-my-shop-a--b--c":   {"my-shop", "a-b-c"},
		"beamyard-demo":              {"", "beamyard-demo"},
		"app@10.213.7.2":             {"", "app@10.213.7.2"},
		"10.213.7.2":                 {"", "10.213.7.2"},
		"N1.demo.test":               {"", "N1.demo.test"},
		"..":                         {"", ".."},
		"@one":                       {"", "@one"},
		"demo/@minority":             {"demo", "@minority"},
		"demo/n*":                    {"demo", "n*"},
		"@host:a":                    {"", "@host:a"},
		"demo/@host:a":               {"demo", "@host:a"},
		"@leader:A.b(c/d)":           {"", "@leader:A.b(c/d)"},
		"demo/@leader:A.b(c/d)":      {"demo", "@leader:A.b(c/d)"},
		"app@":                       {"", ""},
		"":                           {"", ""},
		"web.shop.internal.acme.dev": {"shop", "web"},
	} {
		cluster, node := nodeRef(text)
		if diff := cmp.Diff(want, [2]string{cluster, node}); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	got, nodes, err := target{Cluster: "My_Shop"}.named([]string{"n1", "app@n2"})
	if err != nil || got != "my-shop" {
		t.Errorf("%s, %v", got, err)
	}
	if diff := cmp.Diff([]string{"n1", "n2"}, nodes); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{
		"worker":      "exec takes one node, and worker means worker1, worker2; beamyard exec worker1",
		"mill/worker": "exec takes one node, and mill/worker means worker1, worker2; beamyard exec mill/worker1",
	} {
		_, err := theOne("exec", name, []string{"worker1", "worker2"})
		if err.Error()+"; "+orchestrator.HintOf(err).String() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if node, err := theOne("exec", "db", []string{"db1"}); node != "db1" || err != nil {
		t.Errorf("a role of one node: %s, %v", node, err)
	}
	if _, _, err := (target{}).named([]string{"n1.demo.test", "shop/n1"}); err == nil {
		t.Error("nodes of two clusters")
	}
}
