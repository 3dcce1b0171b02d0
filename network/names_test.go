package network

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNamesOfOneCluster(t *testing.T) {
	n := Names{Cluster: "demo"}
	got := []string{n.Host("n1"), n.Node("n1"), n.Container("n1"), n.Network()}
	want := []string{"n1.demo.test", "app@n1.demo.test", "beamyard-demo-n1", "beamyard-demo"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	n = Names{Cluster: "demo", Base: "shop", Domain: "corp.example"}
	if got, want := n.Node("web-1"), "shop@web-1.demo.corp.example"; got != want {
		t.Errorf("Node = %q, want %q", got, want)
	}
}

func TestShortNames(t *testing.T) {
	n := Names{Cluster: "demo", Base: "rabbit", Short: true}
	got := []string{n.Host("web-1"), n.Node("web-1"), n.Dotted("web-1"), n.Container("web-1")}
	want := []string{"web-1", "rabbit@web-1", "web-1.demo.test", "beamyard-demo-web--1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Volumes are named like containers: each name belongs to one node.
func TestVolumesOfTwoClustersDiffer(t *testing.T) {
	if got := (Names{Cluster: "demo"}).Volume("n1", "data"); got != "beamyard-demo-n1-data" {
		t.Error(got)
	}
	seen := map[string]string{}
	for _, of := range [][3]string{{"a", "b", "c-d"}, {"a-b", "c", "d"}, {"a", "b-c", "d"}} {
		name := Names{Cluster: of[0]}.Volume(of[1], of[2])
		if other, twice := seen[name]; twice {
			t.Errorf("%s is a volume of %v and of %s", name, of, other)
		}
		seen[name] = fmt.Sprint(of)
	}
}

func TestChecks(t *testing.T) {
	long := strings.Repeat("a", 300)
	tests := []struct {
		check     func(string) error
		name      string
		why, hint string // "" means valid
	}{
		{CheckCluster, "demo", "", ""},
		{CheckCluster, "my-app", "", ""},
		{CheckCluster, "7", "", ""},
		{CheckCluster, "", `the cluster name "" is empty`, `try "cluster"`},
		{CheckCluster, "Demo", `the cluster name "Demo" contains the upper-case letter 'D'`, `try "demo"`},
		{CheckCluster, "my_app", `the cluster name "my_app" contains '_': only a-z, 0-9 and hyphens are allowed`, `try "my-app"`},
		{CheckCluster, "demo.test", `the cluster name "demo.test" contains a dot: it is one label of a host name`, `try "demo-test"`},
		{CheckCluster, "-a", `the cluster name "-a" begins or ends with a hyphen`, `try "a"`},
		{CheckCluster, "a--b", `the cluster name "a--b" contains two hyphens in a row`, `try "a-b"`},
		{CheckCluster, long[:31], `the cluster name "` + long[:31] + `" has 31 characters, at most 30 are allowed`, `try "aaaaaaaaaaaaaaaaaaaaaaaaa-ee06"`},
		{CheckCluster, "café", `the cluster name "café" contains 'é': only a-z, 0-9 and hyphens are allowed`, `try "caf"`},
		{CheckCluster, "a\nb", `the cluster name "a\nb" contains '\n': only a-z, 0-9 and hyphens are allowed`, `try "a-b"`},

		{CheckNode, "n1", "", ""},
		{CheckNode, "web-1", "", ""},
		{CheckNode, "N 1", `the node name "N 1" contains the upper-case letter 'N'`, `try "n-1"`},
		{CheckNode, "", `the node name "" is empty`, `try "n1"`},
		{CheckNode, long[:17], `the node name "aaaaaaaaaaaaaaaaa" has 17 characters, at most 16 are allowed`, `try "aaaaaaaaaaa-ba9c"`},

		{CheckVolume, "my-data", "", ""},
		{CheckVolume, "", `the volume name "" is empty`, `try "data"`},

		{CheckBase, "my_App-2", "", ""},
		{CheckBase, long[:MaxBase], "", ""},
		{CheckBase, "a@b", `the base name "a@b" contains '@': only letters, digits, hyphens and underscores are allowed`, `try "a_b"`},
		{CheckBase, "-app", `the base name "-app" begins with a hyphen: erl would take it for a flag`, `try "app"`},
		{CheckBase, "undefined", `the base name "undefined" asks erl for a name that other nodes give it (-name undefined)`, `try "app"`},
		{CheckBase, long[:MaxBase+1], `the base name "` + long[:80] + `…" has 191 characters, at most 190 are allowed`, `try "` + long[:MaxBase] + `"`},

		{CheckDomain, "test", "", ""},
		{CheckDomain, "corp.example", "", ""},
		{CheckDomain, "", `the domain "" is empty`, `try "test"`},
		{CheckDomain, ".test", `the domain ".test" has an empty label: a dot at an end, or two in a row`, `try "test"`},
		{CheckDomain, "my_corp.com", `the domain "my_corp.com" contains '_': only a-z, 0-9 and hyphens are allowed`, `try "my-corp.com"`},
		{CheckDomain, "3.4", `the domain "3.4" ends in a label of digits alone, as an address does`, `try "test"`},
		{CheckDomain, "a.localhost", `the domain "a.localhost" ends in localhost, which means this very machine everywhere (RFC 6761)`, `try "a"`},
		{CheckDomain, "dev.team.corporation.example", `the domain "dev.team.corporation.example" has 28 characters, at most 16 are allowed`, `try "dev.team.example"`},

		{CheckBEAMName, "app@n1.demo.test", "", ""},
		{CheckBEAMName, "app@127.0.0.1", "", ""},
		{CheckBEAMName, "app@MyMac.local", "", ""},
		{CheckBEAMName, "app@n1", `the BEAM node name "app@n1" has the undotted host "n1": -name needs a dotted host`, `try "app@n1.test"`},
		{CheckBEAMName, "app@", `the BEAM node name "app@" has no host: -name needs a dotted host`, `try "app@n1.test"`},
		{CheckBEAMName, "app", `the BEAM node name "app" has no "@": it must read base@host`, `try "app@n1.test"`},
		{CheckBEAMName, "", `the BEAM node name "" has no "@": it must read base@host`, `try "app@n1.test"`},
		{CheckBEAMName, "a@b@c.d", `the BEAM node name "a@b@c.d" has more than one "@"`, `try "a@b.test"`},
		{CheckBEAMName, "my app@n1.test", `the BEAM node name "my app@n1.test" is wrong before the @: it contains ' ': only letters, digits, hyphens and underscores are allowed`, `try "my_app@n1.test"`},
		{CheckBEAMName, "app@n_1.test", `the BEAM node name "app@n_1.test" has a bad host: it contains '_': only a-z, 0-9 and hyphens are allowed`, `try "app@n-1.test"`},
	}
	for _, tt := range tests {
		var why, hint string
		if err := tt.check(tt.name); err != nil {
			why = err.Error()
			var bad *NameError
			if !errors.As(err, &bad) {
				t.Fatalf("%q: %T is not a *NameError", tt.name, err)
			}
			hint = bad.Hint().String()
		}
		if why != tt.why || hint != tt.hint {
			t.Errorf("%q:\n got %s\n     %s\nwant %s\n     %s", tt.name, why, hint, tt.why, tt.hint)
		}
	}
}

func TestSanitize(t *testing.T) {
	for in, want := range map[string]string{
		"My_App":                             "my-app",
		"demo":                               "demo",
		"":                                   "cluster",
		"___":                                "cluster",
		"日本":                                 "cluster",
		"v1.2 (final)":                       "v1-2-final",
		"--a--b--":                           "a-b",
		"TestClusterSurvivesAPartition/slow": "testclustersurvivesaparti-6cbf",
		"TestClusterSurvivesAPartition/fast": "testclustersurvivesaparti-ecac",
	} {
		if got := Sanitize(in); got != want {
			t.Errorf("Sanitize(%q) = %q, want %q", in, got, want)
		}
	}
}

// Valid parts must make valid names, in every combination.
func TestValidPartsMakeValidNames(t *testing.T) {
	legal := func(limit int) *rapid.Generator[string] {
		return rapid.StringMatching(fmt.Sprintf(`([a-z0-9]-?){0,%d}[a-z0-9]`, limit/2)).
			Filter(func(s string) bool { return badLabel(s, limit) == "" })
	}
	rapid.Check(t, func(t *rapid.T) {
		node := legal(MaxNode).Draw(t, "node")
		n := Names{
			Cluster: legal(MaxCluster).Draw(t, "cluster"),
			Base:    rapid.StringMatching(fmt.Sprintf(`[a-zA-Z0-9_][a-zA-Z0-9_-]{0,%d}`, MaxBase-1)).Draw(t, "base"),
			Domain:  legal(MaxDomain).Filter(func(s string) bool { return badDomain(s) == "" }).Draw(t, "domain"),
		}
		if err := CheckBEAMName(n.Node(node)); n.Base != "undefined" && err != nil {
			t.Error(err)
		}
		if len(n.Node(node)) > maxAtom || len(n.Host(node)) > maxHost || len(n.Container(node)) > maxLabel {
			t.Errorf("too long: %q, %q", n.Node(node), n.Container(node))
		}
		// The container's name yields both parts, so no two pairs share one.
		last := -1
		for c, i := n.Container(node), 1; i < len(n.Container(node))-1; i++ {
			if c[i] == '-' && c[i-1] != '-' && c[i+1] != '-' {
				last = i
			}
		}
		if got := n.Container(node)[:last]; got != n.Network() {
			t.Errorf("container %q splits into %q, want %q", n.Container(node), got, n.Network())
		}
	})
}

func TestContainersOfTwoClustersDiffer(t *testing.T) {
	a, b := Names{Cluster: "a"}.Container("b-n1"), Names{Cluster: "a-b"}.Container("n1")
	if a == b {
		t.Errorf("node b-n1 of a and node n1 of a-b are both %q", a)
	}
}

// The longest parts must use the limits exactly: no byte is wasted.
func TestLimitsAreTight(t *testing.T) {
	n := Names{
		Cluster: strings.Repeat("c", MaxCluster),
		Base:    strings.Repeat("b", MaxBase),
		Domain:  strings.Repeat("d", MaxDomain),
	}
	node := "a-a-a-a-a-a-a-aa"
	got := []int{len(node), len(n.Host(node)), len(n.Node(node)), len(n.Container(node))}
	if diff := cmp.Diff([]int{MaxNode, 64, 255, 63}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzChecks checks that no name causes a panic, and that each proposal is itself valid.
func FuzzChecks(f *testing.F) {
	for _, s := range []string{
		"demo", "My_App", "", "-", "a--b", "n1.demo.test", "app@n1", "app@n1.demo.test", "a@b@c", "@", "@.", "undefined@x.y",
		"..", "3.4", "x.localhost", "\xff\xfe", "日本", "İ", "\u212a", strings.Repeat("a", 31), strings.Repeat("a-", 200) + "@" + strings.Repeat("b.", 100),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, check := range []func(string) error{CheckCluster, CheckNode, CheckBase, CheckDomain, CheckBEAMName} {
			err := check(s)
			if err == nil {
				continue
			}
			var bad *NameError
			if !errors.As(err, &bad) {
				t.Fatalf("%T is not a *NameError", err)
			}
			if err := check(bad.Try); err != nil {
				t.Errorf("for %q it proposes %q, but %v", s, bad.Try, err)
			}
		}
		if err := CheckCluster(Sanitize(s)); err != nil {
			t.Errorf("Sanitize(%q): %v", s, err)
		}
		if CheckCluster(s) == nil && Sanitize(s) != s {
			t.Errorf("Sanitize(%q) = %q changes a valid name", s, Sanitize(s))
		}
	})
}
