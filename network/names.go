package network

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Maximum lengths of the parts of a name, in bytes. Any valid node, cluster and domain
// together make a host of at most 64 bytes, and any valid node and cluster a container
// name of at most 63.
const (
	// MaxCluster is the maximum length of a cluster's name.
	MaxCluster = 30
	// MaxNode is the maximum length of a node's name. In a container's name each of its
	// hyphens is doubled, at most 7 of them: 9 + 30 + 1 + 16 + 7 = 63.
	MaxNode = 16
	// MaxDomain is what a host name has left for the domain after those two and two dots.
	// Linux has 64 bytes for a host name (sethostname(2)); with 65 the engine fails to
	// start the container.
	MaxDomain = maxHost - MaxNode - MaxCluster - 2
	// MaxBase is what an Erlang atom has left after the longest host and the @.
	MaxBase = maxAtom - maxHost - 1

	maxHost  = 64
	maxLabel = 63
	maxAtom  = 255
)

// Defaults of [Names].
const (
	DefaultBase   = "app"
	DefaultDomain = "test" // reserved for testing by RFC 6761: does not resolve
)

// Names makes all names of a cluster from their parts. It does not validate the parts:
// see [CheckCluster], [CheckNode], [CheckBase] and [CheckDomain].
type Names struct {
	Cluster string
	Base    string // before the @ of a BEAM name; default "app"
	Domain  string // after the cluster in a host name; default "test"
	Short   bool   // use short BEAM names and hosts without dots
	// Addresses of the nodes whose BEAM names contain an address: "app@10.213.7.2". Their
	// host names are unaffected.
	Addresses map[string]netip.Addr
}

// Host returns the host part of the node's BEAM name: its host name, or its address.
func (n Names) Host(node string) string {
	if a, ok := n.Addresses[node]; ok {
		return a.String()
	}
	return n.Hostname(node)
}

// Hostname returns the node's host name and network alias: "n1.demo.test", or "n1" with
// short names. A VM with a short name uses the host up to the first dot
// (inet:gethostname/0); other programs use all of it.
func (n Names) Hostname(node string) string {
	if n.Short {
		return node
	}
	return n.Dotted(node)
}

// Dotted returns the node's host name with its domain, for short BEAM names too:
// "n1.demo.test".
func (n Names) Dotted(node string) string {
	return node + "." + n.All()
}

// All returns the name that all nodes share, "demo.test": a DNS query for it returns the
// address of each running node.
func (n Names) All() string { return n.Cluster + "." + or(n.Domain, DefaultDomain) }

// Node returns the node's BEAM name: "app@n1.demo.test", "app@n1" with short names, or
// "app@10.213.7.2".
func (n Names) Node(node string) string {
	return or(n.Base, DefaultBase) + "@" + n.Host(node)
}

// Container returns the name of the node's container: "beamyard-demo-n1".
//
// Hyphens in the node's name are doubled, and a valid name never has two in a row. So the
// last single hyphen ends the cluster's name. Otherwise node b-n1 of cluster a and node
// n1 of cluster a-b would have the same container name.
func (n Names) Container(node string) string {
	return n.Network() + "-" + strings.ReplaceAll(node, "-", "--")
}

// Volume returns the name of one of a node's volumes: "beamyard-demo-n1-data". Hyphens in
// volume are doubled too; it follows the rules of a node's name.
func (n Names) Volume(node, volume string) string {
	return n.Container(node) + "-" + strings.ReplaceAll(volume, "-", "--")
}

// Network returns the name of the cluster's network: "beamyard-demo".
func (n Names) Network() string { return "beamyard-" + n.Cluster }

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// NameError reports an invalid name.
type NameError struct {
	Kind string // "cluster name", "node name", "volume name", "base name", "domain", "BEAM node name"
	Name string
	Why  string // completes "the cluster name "x" …"
	Try  string // a similar valid name
}

func (e *NameError) Error() string {
	name := e.Name
	if len(name) > 80 {
		name = name[:80] + "…"
	}
	return fmt.Sprintf("the %s %q %s", e.Kind, name, e.Why)
}

// Hint suggests a valid name.
func (e *NameError) Hint() hint.Hint { return hint.Newf("try %q", e.Try) }

// CheckCluster checks the name of a cluster: a DNS label (RFC 1123, so a leading digit is
// fine) of lower-case letters, digits and single hyphens, at most [MaxCluster] bytes. The
// error is a [*NameError].
func CheckCluster(name string) error {
	if why := badLabel(name, MaxCluster); why != "" {
		return &NameError{Kind: "cluster name", Name: name, Why: why, Try: Sanitize(name)}
	}
	return nil
}

// CheckNode checks the name of a node: the rules of [CheckCluster], at most [MaxNode]
// bytes. The error is a [*NameError].
func CheckNode(name string) error {
	if why := badLabel(name, MaxNode); why != "" {
		return &NameError{Kind: "node name", Name: name, Why: why, Try: label(name, MaxNode, "n1")}
	}
	return nil
}

// CheckVolume checks the name of a node's volume, by the rules of [CheckNode]. The error
// is a [*NameError].
func CheckVolume(name string) error {
	if why := badLabel(name, MaxNode); why != "" {
		return &NameError{Kind: "volume name", Name: name, Why: why, Try: label(name, MaxNode, "data")}
	}
	return nil
}

// CheckBase checks the part of a BEAM name before the @: upper- and lower-case letters,
// digits, hyphens and underscores (net_kernel's own rule), at most [MaxBase] bytes. The
// error is a [*NameError].
func CheckBase(name string) error {
	if why := badBase(name); why != "" {
		return &NameError{Kind: "base name", Name: name, Why: why, Try: base(name)}
	}
	return nil
}

// CheckDomain checks the domain that ends the host names of a cluster: dotted labels by
// the rules of [CheckCluster], at most [MaxDomain] bytes together. The error is a
// [*NameError].
func CheckDomain(name string) error {
	if why := badDomain(name); why != "" {
		return &NameError{Kind: "domain", Name: name, Why: why, Try: domain(name)}
	}
	return nil
}

// CheckBEAMName checks a node's full name as erl's -name accepts it: "app@n1.demo.test".
// Upper case is allowed in the host, as in Erlang. The error is a [*NameError].
func CheckBEAMName(full string) error {
	before, host, found := strings.Cut(full, "@")
	why := badBase(before)
	switch {
	case !found:
		why = `has no "@": it must read base@host`
	case why != "":
		why = "is wrong before the @: it " + why
	case strings.Contains(host, "@"):
		why = `has more than one "@"`
	case host == "":
		why = "has no host: -name needs a dotted host"
	case !strings.Contains(host, "."):
		why = fmt.Sprintf("has the undotted host %q: -name needs a dotted host", host)
	default:
		if why = badHost(strings.ToLower(host), maxHost); why != "" {
			why = "has a bad host: it " + why
		}
	}
	if why != "" {
		return &NameError{Kind: "BEAM node name", Name: full, Why: why, Try: beamName(before, host)}
	}
	return nil
}

// badLabel says why s is no legal label, or "".
func badLabel(s string, limit int) string {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-':
		case 'A' <= r && r <= 'Z':
			// Erlang compares node names by case, DNS does not.
			return fmt.Sprintf("contains the upper-case letter %q", r)
		case r == '.':
			return "contains a dot: it is one label of a host name"
		default:
			return fmt.Sprintf("contains %q: only a-z, 0-9 and hyphens are allowed", r)
		}
	}
	switch {
	case s == "":
		return "is empty"
	case len(s) > limit:
		return fmt.Sprintf("has %d characters, at most %d are allowed", len(s), limit)
	case s[0] == '-' || s[len(s)-1] == '-':
		return "begins or ends with a hyphen"
	case strings.Contains(s, "--"):
		// RFC 5891 reserves them in places 3 and 4; see also Names.Container.
		return "contains two hyphens in a row"
	}
	return ""
}

// badBase says why s is no legal base, or "". Source: valid_name_head in OTP's
// net_kernel.erl, ^[0-9A-Za-z_\-]*$.
func badBase(s string) string {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return fmt.Sprintf("contains %q: only letters, digits, hyphens and underscores are allowed", r)
		}
	}
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxBase:
		return fmt.Sprintf("has %d characters, at most %d are allowed", len(s), MaxBase)
	case s[0] == '-':
		return "begins with a hyphen: erl would take it for a flag"
	case s == "undefined":
		return "asks erl for a name that other nodes give it (-name undefined)"
	}
	return ""
}

// badDomain says why s cannot end our host names, or "".
func badDomain(s string) string {
	if why := badHost(s, MaxDomain); why != "" {
		return why
	}
	switch last := s[strings.LastIndexByte(s, '.')+1:]; {
	case strings.Trim(last, "0123456789") == "":
		// With node 1 of cluster 2, the domain 3.4 would make the address 1.2.3.4.
		return "ends in a label of digits alone, as an address does"
	case last == "localhost":
		return "ends in localhost, which means this very machine everywhere (RFC 6761)"
	}
	return ""
}

// badHost says why s is no row of legal labels, or "".
func badHost(s string, limit int) string {
	if s == "" {
		return "is empty"
	}
	for l := range strings.SplitSeq(s, ".") {
		if l == "" {
			return "has an empty label: a dot at an end, or two in a row"
		}
		if why := badLabel(l, maxLabel); why != "" {
			return why
		}
	}
	if len(s) > limit {
		return fmt.Sprintf("has %d characters, at most %d are allowed", len(s), limit)
	}
	return ""
}
