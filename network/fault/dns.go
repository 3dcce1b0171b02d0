package fault

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The DNS server of the engine, in the network namespace of each container that is in a network
// of its own.
var engineDNS = netip.AddrFrom4([4]byte{127, 0, 0, 11})

const dnsPort = 53

// Answer says what a node is told about one address.
type Answer struct {
	Peer  netip.Addr `json:"peer"`
	Stale netip.Addr `json:"stale,omitzero"` // told instead; none: the address is left out
	Until time.Time  `json:"until,omitzero"`
}

// AnswersOf returns what each node is told while faults are in force, sorted. Nodes that are told
// the truth are not in it. No answers win over stale ones.
func AnswersOf(nodes []Node, faults []Fault, now time.Time) map[string][]Answer {
	told := map[string][]Answer{}
	for _, f := range faults {
		if f.Kind != KindDNS || !f.InForce(now) {
			continue
		}
		for _, name := range f.Nodes {
			for _, peer := range nodes {
				if peer.Name == name || len(f.DNS.Peers) > 0 && !slices.Contains(f.DNS.Peers, peer.Name) {
					continue
				}
				for _, addr := range peer.Addrs {
					a := Answer{Peer: addr, Until: f.end()}
					if f.DNS.Answers == StaleAnswers {
						a.Stale = peer.Stale
					}
					told[name] = append(told[name], a)
				}
			}
		}
	}
	for name, answers := range told {
		slices.SortStableFunc(answers, func(a, b Answer) int {
			if by := a.Peer.Compare(b.Peer); by != 0 {
				return by
			}
			return a.Stale.Compare(b.Stale) // none is less than any
		})
		told[name] = answers
	}
	return told
}

// Rewrite returns a DNS response as the answers want it. What is not a response that it can read
// is returned as it is.
func Rewrite(response []byte, answers []Answer, now time.Time) []byte {
	answer := func(addr netip.Addr) (Answer, bool) {
		i := slices.IndexFunc(answers, func(a Answer) bool { return a.Peer == addr && (a.Until.IsZero() || a.Until.After(now)) })
		if i < 0 {
			return Answer{}, false
		}
		return answers[i], true
	}
	var m dnsmessage.Message
	if err := m.Unpack(response); err != nil {
		return response
	}
	changed := false
	var kept []dnsmessage.Resource
	for _, r := range m.Answers {
		var addr netip.Addr
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			addr = netip.AddrFrom4(body.A)
		case *dnsmessage.AAAAResource:
			addr = netip.AddrFrom16(body.AAAA)
		case *dnsmessage.PTRResource:
			addr, _ = reversed(r.Header.Name.String())
		}
		a, wrong := answer(addr)
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			if wrong && a.Stale.Is4() {
				body.A = a.Stale.As4()
			}
		case *dnsmessage.AAAAResource:
			if wrong && a.Stale.Is6() {
				body.AAAA = a.Stale.As16()
			}
		}
		changed = changed || wrong
		if !wrong || a.Stale.IsValid() && a.Stale.BitLen() == addr.BitLen() {
			kept = append(kept, r)
		}
	}
	if !changed {
		return response
	}
	if m.Answers = kept; len(kept) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	packed, err := m.Pack()
	if err != nil {
		return response
	}
	return packed
}

// refused returns the response to a query that cannot be answered, or nil.
func refused(query []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return nil
	}
	h.Response, h.RCode = true, dnsmessage.RCodeServerFailure
	packed, err := (&dnsmessage.Message{Header: h, Questions: questions}).Pack()
	if err != nil {
		return nil
	}
	return packed
}

// reversed returns the address of a name in in-addr.arpa (RFC 1035).
func reversed(name string) (netip.Addr, error) {
	digits, ok := strings.CutSuffix(strings.ToLower(name), ".in-addr.arpa.")
	words := strings.Split(digits, ".")
	if !ok || len(words) != 4 {
		return netip.Addr{}, fmt.Errorf("%q is not the name of an IPv4 address", name)
	}
	var b [4]byte
	for i, w := range words {
		n, err := strconv.ParseUint(w, 10, 8)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("%q is not the name of an IPv4 address", name)
		}
		b[3-i] = byte(n)
	}
	return netip.AddrFrom4(b), nil
}
