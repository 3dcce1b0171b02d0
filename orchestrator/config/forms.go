package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// forms are the forms of values that are not written like their Go type, by their name in a
// key's tag. A form reads a value, and returns it as the Go type is written. Many are
// Compose's, where these mean the same. A form that is missing here only describes the value to
// editors.
var forms map[string]func(r *reader, at ast.Node, of reflect.Type) (ast.Node, error)

func init() { // here, because the readers of mappings use forms
	forms = map[string]func(r *reader, at ast.Node, of reflect.Type) (ast.Node, error){
		"command":     (*reader).command,
		"duration":    (*reader).duration,
		"env":         (*reader).env,
		"env_file":    (*reader).envFiles,
		"extra_hosts": (*reader).extraHosts,
		"hosts":       (*reader).hosts,
		"labels":      (*reader).labels,
		"matrix":      (*reader).matrix,
		"networks":    (*reader).networks,
		"nodes":       (*reader).nodeList,
		"ports":       (*reader).ports,
		"prefix":      (*reader).prefix,
		"replicas":    (*reader).replicas,
		"restart":     (*reader).restart,
		"size":        (*reader).size,
		"tls":         (*reader).tls,
		"tmpfs":       (*reader).tmpfs,
		"volumes":     (*reader).volumes,
		"words":       (*reader).words,
	}
}

// formOf returns the form of a key: the one in its tag, or its type's.
func formOf(k key) string {
	switch {
	case k.form != "":
		return k.form
	case k.field.Type == reflect.TypeFor[time.Duration]():
		return "duration"
	case k.field.Type == reflect.TypeFor[netip.Prefix]():
		return "prefix"
	}
	return ""
}

// formed reads the value of a key in the key's form.
func (r *reader) formed(k key, at ast.Node) (value ast.Node, err error) {
	defer func() {
		if tag, ok := value.(*ast.TagNode); ok && k.field.Type != nil && k.field.Type.Kind() == reflect.Slice {
			value, err = nil, wrong(tag, "this must be a list, not %s", tag.Start.Value) // go-yaml would panic
		}
	}()
	if form := forms[formOf(k)]; form != nil {
		return form(r, at, k.field.Type)
	}
	if k.field.Type == reflect.TypeFor[[]string]() {
		if text, ok := written(r.behind(at)); ok {
			return nil, orchestrator.WithHint(wrong(at, "this must be a list, not text"), "write it in brackets: %s: [%s]", k.name, quoteWord(text))
		}
	}
	return r.as(at, k.field.Type)
}

// listItems returns the texts of a list; ok is false if at is not a list.
func (r *reader) listItems(at ast.Node) (items []*ast.StringNode, ok bool, err error) {
	list, ok := r.behind(at).(*ast.SequenceNode)
	if !ok {
		return nil, false, nil
	}
	for _, v := range list.Values {
		value, err := r.as(v, reflect.TypeFor[string]())
		if err != nil {
			return nil, true, err
		}
		text, isText := value.(*ast.StringNode)
		if !isText {
			return nil, true, wrong(v, "this must be text")
		}
		items = append(items, text)
	}
	return items, true, nil
}

// pairs returns the pairs of a mapping, or nil if at is not a mapping.
func (r *reader) pairs(at ast.Node) []*ast.MappingValueNode {
	switch m := r.behind(at).(type) {
	case *ast.MappingNode:
		return append([]*ast.MappingValueNode{}, m.Values...)
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

// put adds a text to a mapping, or replaces the existing one.
func put(m *ast.MappingNode, place *ast.StringNode, key, value string) {
	put := textAt(place.GetToken(), value)
	for _, pair := range m.Values {
		if pair.Key.(*ast.StringNode).Value == key {
			pair.Value = put
			return
		}
	}
	m.Values = append(m.Values, ast.MappingValue(place.GetToken(), textAt(place.GetToken(), key), put))
}

// env accepts KEY=VALUE and KEY in a list, and KEY without a value in a mapping. A KEY alone
// takes the value of our own environment, as in Compose; it is an error if that has none.
func (r *reader) env(at ast.Node, of reflect.Type) (ast.Node, error) {
	items, list, err := r.listItems(at)
	if err != nil {
		return nil, err
	}
	if list {
		out := ast.Mapping(at.GetToken(), false)
		for _, item := range items {
			key, value, given := strings.Cut(item.Value, "=")
			if !given {
				if value, err = r.ours(key); err != nil {
					return nil, orchestrator.WithHint(wrong(item, "%v", err), "%s", orchestrator.HintOf(err))
				}
			}
			put(out, item, key, value)
		}
		return out, nil
	}
	value, err := r.as(at, of)
	if m, ok := value.(*ast.MappingNode); ok {
		for _, pair := range m.Values {
			if _, null := pair.Value.(*ast.NullNode); !null {
				continue
			}
			key := pair.Key.(*ast.StringNode)
			ours, err := r.ours(key.Value)
			if err != nil {
				return nil, orchestrator.WithHint(wrong(key, "%v", err), "%s", orchestrator.HintOf(err))
			}
			pair.Value = textAt(pair.Value.GetToken(), ours)
		}
	}
	return value, err
}

// labels accepts KEY=VALUE in a list.
func (r *reader) labels(at ast.Node, of reflect.Type) (ast.Node, error) {
	items, list, err := r.listItems(at)
	if err != nil || !list {
		return r.orAs(at, of, err)
	}
	out := ast.Mapping(at.GetToken(), false)
	for _, item := range items {
		key, value, _ := strings.Cut(item.Value, "=")
		put(out, item, key, value)
	}
	return out, nil
}

func (r *reader) orAs(at ast.Node, of reflect.Type, err error) (ast.Node, error) {
	if err != nil {
		return nil, err
	}
	return r.as(at, of)
}

// volumes accepts NAME:/PATH in a list. A folder of this machine is not a volume.
func (r *reader) volumes(at ast.Node, of reflect.Type) (ast.Node, error) {
	items, list, err := r.listItems(at)
	if err != nil {
		return nil, err
	}
	if !list {
		for _, pair := range r.pairs(at) {
			if _, text := written(r.behind(pair.Value)); !text && !pair.Key.IsMergeKey() {
				return nil, orchestrator.WithHint(wrong(pair.Key, "a volume has a path in the container"), "volumes: {%s: /var/lib/%[1]s}", pair.Key.String())
			}
		}
		return r.as(at, of)
	}
	out := ast.Mapping(at.GetToken(), false)
	for _, item := range items {
		name, path, two := strings.Cut(item.Value, ":")
		switch {
		case two && strings.ContainsAny(name, "./~$"):
			return nil, orchestrator.WithHint(wrong(item, "%s is not mounted: the nodes run what is in the image", item.Value),
				"the project that runs is source: and `%[2]s` brings each edit into the nodes; a file: files: {%[1]s/x.conf: x.conf}; data: volumes: {data: %[1]s}",
				strings.TrimSuffix(beforeColon(path), "/"), hint.SyncWatch.With())
		case !two:
			return nil, orchestrator.WithHint(wrong(item, "a volume has a name and a path"), "volumes: {data: %s}", item.Value)
		case strings.Contains(path, ":"):
			return nil, orchestrator.WithHint(wrong(item, "volumes have no options here"), "volumes: {%s: %s}", name, beforeColon(path))
		}
		put(out, item, name, path)
	}
	return out, nil
}

func beforeColon(s string) string {
	before, _, _ := strings.Cut(s, ":")
	return before
}

// networks accepts a list of names, and Compose's aliases in a mapping.
func (r *reader) networks(at ast.Node, of reflect.Type) (ast.Node, error) {
	items, list, err := r.listItems(at)
	if err != nil {
		return nil, err
	}
	if !list {
		for _, pair := range r.pairs(at) {
			inner := r.pairs(pair.Value)
			switch {
			case pair.Key.IsMergeKey() || inner == nil:
			case len(inner) == 1 && inner[0].Key.String() == "aliases":
				pair.Value = inner[0].Value
			default:
				return nil, orchestrator.WithHint(wrong(pair.Key, "a network has a list of the names that the nodes have there"),
					"networks: {%s: []}, or with names: networks: {%[1]s: [shop]}; it must be there already: docker network create %[1]s", pair.Key.String())
			}
		}
		return r.as(at, of)
	}
	out := ast.Mapping(at.GetToken(), false)
	for _, item := range items {
		put(out, item, item.Value, "")
		out.Values[len(out.Values)-1].Value = ast.Sequence(item.GetToken(), true)
	}
	return out, nil
}

// ports accepts CONTAINER, HOST:CONTAINER and 127.0.0.1:HOST:CONTAINER, and only TCP: ports are
// always published at that address.
func (r *reader) ports(at ast.Node, of reflect.Type) (ast.Node, error) {
	list, ok := r.behind(at).(*ast.SequenceNode)
	if !ok {
		return r.as(at, of)
	}
	out := ast.Sequence(list.Start, list.IsFlowStyle)
	for _, v := range list.Values {
		text, short := written(r.behind(v))
		if !short {
			value, err := r.as(v, of.Elem())
			if err != nil {
				return nil, err
			}
			out.Values = append(out.Values, value)
			continue
		}
		p, err := parsePort(text)
		if err != nil {
			return nil, orchestrator.WithHint(wrong(v, "%v", err), "ports: [{container: 4000}], or with a port of this machine: ports: [{container: 4000, host: 4000}]")
		}
		pair := ast.Mapping(v.GetToken(), false)
		put(pair, textAt(v.GetToken(), ""), "container", strconv.Itoa(p.Container))
		if p.Host != 0 {
			put(pair, textAt(v.GetToken(), ""), "host", strconv.Itoa(p.Host))
		}
		out.Values = append(out.Values, pair)
	}
	return out, nil
}

// parsePort parses Compose's short form of a port.
func parsePort(text string) (p orchestrator.PortSpec, err error) {
	number := func(s string) int {
		n, bad := strconv.Atoi(s)
		if err == nil && (bad != nil || n < 1 || n > 65535) {
			err = fmt.Errorf("%q is not a port, 1 to 65535", s)
			if strings.Contains(s, "-") {
				err = fmt.Errorf("%q is a range: write each port", s)
			}
		}
		return n
	}
	ports, protocol, _ := strings.Cut(text, "/")
	if protocol != "" && protocol != "tcp" {
		return p, fmt.Errorf("%s: only TCP ports are published", text)
	}
	parts := strings.Split(ports, ":")
	if len(parts) > 2 {
		address := strings.Join(parts[:len(parts)-2], ":")
		ip, bad := netip.ParseAddr(strings.Trim(address, "[]"))
		if address != "localhost" && (bad != nil || ip != netip.MustParseAddr("127.0.0.1")) {
			return p, fmt.Errorf("%s: ports are published on 127.0.0.1 alone", text)
		}
		parts = parts[len(parts)-2:]
	}
	if len(parts) == 2 && parts[0] != "" {
		p.Host = number(parts[0])
	}
	p.Container = number(parts[len(parts)-1])
	return p, err
}

// restart accepts a mode alone.
func (r *reader) restart(at ast.Node, of reflect.Type) (ast.Node, error) {
	text, ok := written(r.behind(at))
	if !ok {
		return r.as(at, of)
	}
	place := textAt(at.GetToken(), "")
	out := ast.Mapping(at.GetToken(), false)
	mode, most, counted := strings.Cut(text, ":")
	switch m := orchestrator.RestartMode(text); {
	case m == orchestrator.RestartAlways, m == orchestrator.RestartOnFailure, m == orchestrator.RestartNo:
		put(out, place, "mode", text)
		return out, nil
	case text == "unless-stopped":
		return nil, orchestrator.WithHint(wrong(at, "there is no restart mode unless-stopped"), "restart: always means that here: a node that was stopped stays down")
	case counted && mode == string(orchestrator.RestartOnFailure):
		return nil, orchestrator.WithHint(wrong(at, "this needs two keys here"), "restart: {mode: on-failure, max: %s}", most)
	case text == "false", text == "never":
		return nil, orchestrator.WithHint(wrong(at, "%s is not a restart mode", text), "restart: no")
	}
	return nil, orchestrator.WithHint(wrong(at, "%s is not a restart mode", text), "restart: on-failure, always or no; or with figures: restart: {mode: on-failure, max: 5, backoff: 1s}")
}

// tls accepts true or false alone.
func (r *reader) tls(at ast.Node, of reflect.Type) (ast.Node, error) {
	enabled := func(m *ast.MappingNode) *ast.MappingNode {
		m.Values = append(m.Values, ast.MappingValue(at.GetToken(), textAt(at.GetToken(), "enabled"), ast.Bool(token.New("true", "true", at.GetToken().Position))))
		return m
	}
	if text, ok := written(r.behind(at)); ok {
		out := ast.Mapping(at.GetToken(), false)
		switch text {
		case "true":
			return enabled(out), nil
		case "false":
			return out, nil
		}
		return nil, orchestrator.WithHint(wrong(at, "%s is neither true nor a map", text), "tls: true; or with files of your own: tls: {ca: ca.pem, cert: node.pem, key: node.key}")
	}
	value, err := r.as(at, of)
	if m, ok := value.(*ast.MappingNode); ok {
		return enabled(m), err
	}
	return value, err
}

// words splits a shell's command line into words, as YAML writes them; a line that needs a
// shell becomes a call of one.
func words(line string) []string {
	if strings.ContainsAny(line, "\"'\\$&|;<>`*?()\n") {
		return []string{"sh", "-c", quoteWord(line)}
	}
	var all []string
	for _, w := range strings.Fields(line) {
		all = append(all, quoteWord(w))
	}
	return all
}

// bare matches a word that needs no quotes in a list of YAML.
var bare = regexp.MustCompile(`^-{0,2}[A-Za-z0-9_./=+][A-Za-z0-9_./=+-]*$`)

// quoteWord formats a text for a list of YAML.
func quoteWord(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
