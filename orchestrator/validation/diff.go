package validation

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Diff returns the JSON names of the fields in which two specs differ, with defaults
// filled. Fields that always differ are ignored: the cookie, the authority of TLS, the owner,
// the subnet, and where the image came from. So are the page and what is parked, which concern no
// node.
func Diff(s, other orchestrator.Spec) []string {
	plain := func(s orchestrator.Spec) orchestrator.Spec {
		s = s.Defaulted()
		s.Cookie, s.Owner, s.Source, s.File, s.BaseImage, s.Subnet = "", orchestrator.Owner{}, "", "", "", netip.Prefix{}
		s.Distribution.TLS.Authority, s.Distribution.TLS.AuthorityKey = "", ""
		s = withImagesTogether(s)
		s.Proxies, s.ImageEnv, s.Suite, s.ImageBoot, s.UI, s.Warm = nil, nil, false, "", false, 0
		return s
	}
	a, b := reflect.ValueOf(plain(s)), reflect.ValueOf(plain(other))
	var fields []string
	for i := range a.NumField() {
		if !reflect.DeepEqual(nilled(a.Field(i)), nilled(b.Field(i))) {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
		}
	}
	return fields
}

// nilled treats empty maps and slices as nil: JSON's omitempty does not preserve the
// difference in a label.
func nilled(v reflect.Value) any {
	switch v.Kind() { //nolint:exhaustive // every other kind is compared as it is
	case reflect.Map, reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
	}
	return v.Interface()
}

// withImagesTogether moves the images that were built from the source from the nodes to
// one field, so that other sources count as one difference.
func withImagesTogether(s orchestrator.Spec) orchestrator.Spec {
	s.Nodes = slices.Clone(s.Nodes)
	for i := range s.Nodes {
		s.Nodes[i].BaseImage = "" // it is in the image
		if n := &s.Nodes[i]; n.Built {
			s.Image += " " + n.Image
			n.Image, n.Built, n.Precompiled, n.ImageBoot = "", false, false, ""
		}
	}
	return s
}
