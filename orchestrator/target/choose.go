package target

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Choice is what a target with an @ means.
type Choice struct {
	Target string   `json:"target"`
	Nodes  []string `json:"nodes"`
	Random bool     `json:"random"` // the seed chose them
}

// String returns one line: "@one is n2".
func (c Choice) String() string { return c.Target + " is " + strings.Join(c.Nodes, ", ") }

// Chooser selects nodes of one cluster. The same seed and the same targets select the same nodes.
type Chooser struct {
	Spec orchestrator.Spec
	// Among are the names of the nodes that @one, @minority and @majority choose from. Nil: all.
	Among []string
	// What describes these nodes in an error: "running". Default "possible".
	What string
	// Seed of the random choices.
	Seed uint64
	// Leader returns the short name of the node that an expression of @leader means; see
	// [Leader]. Nil: @leader is an error.
	Leader func(expression string) (string, error)

	random  *rand.Rand
	choices []Choice
}

// Random reports whether the nodes that a target means depend on a seed.
func Random(target string) bool {
	return slices.Contains([]string{"@one", "@minority", "@majority"}, target)
}

// Nodes returns the short names of the nodes that targets mean, in the order given and without
// duplicates. A name of no node matches [orchestrator.ErrNoNode].
func (c *Chooser) Nodes(targets ...string) ([]string, error) {
	var nodes []string
	for _, text := range targets {
		meant, err := c.meant(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		for _, n := range meant {
			if !slices.Contains(nodes, n) {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil
}

// Choices returns what the targets with an @ meant, in the order in which they were chosen.
func (c *Chooser) Choices() []Choice { return c.choices }

func (c *Chooser) meant(text string) ([]string, error) {
	if strings.HasPrefix(text, "@") {
		nodes, err := c.chosen(text)
		if err == nil {
			c.choices = append(c.choices, Choice{text, nodes, Random(text)})
		}
		return nodes, err
	}
	if strings.ContainsAny(text, "*?[") {
		return c.matching(text)
	}
	return c.Spec.NodesOf(text)
}

// chosen returns the nodes of a target with an @.
func (c *Chooser) chosen(text string) ([]string, error) {
	declared, _ := c.Spec.Declared()
	all := len(declared)
	switch {
	case text == "@all":
		return declared, nil
	case text == "@one":
		return c.some(text, 1)
	case text == "@minority" && all < 3:
		return nil, fmt.Errorf("@minority: a cluster of %d has no minority, which needs 3 nodes", all)
	case text == "@minority":
		return c.some(text, (all-1)/2)
	case text == "@majority":
		return c.some(text, all/2+1)
	case text+":" == orchestrator.OnHost || text == orchestrator.OnHost:
		return nil, errors.New("@host: which host? " + orchestrator.OnHost + strings.Join(append(c.Spec.Machines(), "NAME")[:1], ""))
	case strings.HasPrefix(text, orchestrator.OnHost):
		return c.Spec.NodesOf(text)
	case text == leader || text+":" == leader:
		return nil, errors.New("@leader: which expression returns the leader? @leader:MyApp.leader()")
	case strings.HasPrefix(text, leader):
		if c.Leader == nil {
			return nil, errors.New("@leader is not possible here")
		}
		node, err := c.Leader(strings.TrimPrefix(text, leader))
		return []string{node}, err
	}
	return nil, fmt.Errorf("unknown target %s: there are @one, @minority, @majority, @all, @host:NAME and @leader:EXPR", text)
}

// some returns as many nodes at random, in the order of their declaration.
func (c *Chooser) some(text string, count int) ([]string, error) {
	all, _ := c.Spec.Declared()
	what := cmp.Or(c.What, "possible")
	from := all
	if c.Among != nil {
		from = slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !slices.Contains(c.Among, n) })
	}
	if len(from) < count {
		return nil, fmt.Errorf("%s needs %d of %d nodes; %s: %s", text, count, len(all), what, cmp.Or(strings.Join(from, ", "), "none"))
	}
	if c.random == nil {
		c.random = rand.New(rand.NewPCG(c.Seed, 0))
	}
	chosen := c.random.Perm(len(from))[:count]
	slices.Sort(chosen)
	nodes := make([]string, count)
	for i, at := range chosen {
		nodes[i] = from[at]
	}
	return nodes, nil
}

// matching returns the nodes whose name or role matches a pattern.
func (c *Chooser) matching(pattern string) ([]string, error) {
	var nodes []string
	for _, n := range c.Spec.Nodes {
		name, err := path.Match(pattern, n.Name)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", pattern, err)
		}
		role, _ := path.Match(pattern, n.Role)
		if name || role && n.Role != "" {
			nodes = append(nodes, n.Name)
		}
	}
	if len(nodes) == 0 {
		declared, roles := c.Spec.Declared()
		return nil, fmt.Errorf("%w matches %s: there are %s", orchestrator.ErrNoNode, pattern, strings.Join(append(declared, roles...), ", "))
	}
	return nodes, nil
}
