package parking

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// version of what a parked cluster is and of what is said to a lot. Processes of another version
// have another lot.
const version = 1

// Socket returns the name of a lot's socket, for package control. There is one lot for each engine.
func Socket(info orchestrator.EngineInfo) string {
	return fmt.Sprintf("parked/%x", sha256.Sum256(fmt.Appendf(nil, "%d %s %s", version, info.ID, info.Endpoint)))[:len("parked/")+12]
}

// Variable is the environment variable that says how many clusters of each spec are to be parked,
// whatever the specs say.
const Variable = "BEAMYARD_WARM"

// Wanted returns how many clusters equal to a spec are to be parked; 0 if it must not be.
func Wanted(spec orchestrator.Spec) int {
	if text, given := os.LookupEnv(Variable); given {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0
		}
		return max(n, 0)
	}
	return spec.Warm
}

// Order describes clusters to park.
type Order struct {
	// Key is that of Spec; see [Key].
	Key string `json:"key"`
	// Spec is prepared. Its name, if it is generated, and its cookie, if it is generated, are "".
	Spec orchestrator.Spec `json:"spec"`
	// Base is what generated names begin with. It is unused if Spec has a name.
	Base string `json:"base,omitempty"`
	// Count is how many are kept parked. A spec with a name has one at most.
	Count int `json:"count"`
}

// NewOrder returns an order of n clusters. spec is prepared; see [Order].Spec. why says why the
// spec cannot be parked; "" if it can.
func NewOrder(ctx context.Context, eng orchestrator.Engine, spec orchestrator.Spec, base string, n int) (o Order, why string, err error) {
	key, why, err := Key(ctx, eng, spec)
	return Order{Key: key, Spec: spec, Base: base, Count: n}, why, err
}

// Key returns a hash of everything that two equal clusters have in common; see [Order].Spec. why
// says why the spec cannot be parked; "" if it can.
func Key(ctx context.Context, eng orchestrator.Engine, spec orchestrator.Spec) (key, why string, err error) {
	found := map[string]images.Info{}
	image := func(ref string) (images.Info, error) {
		if known, ok := found[ref]; ok {
			return known, nil
		}
		info, err := eng.Image(ctx, ref)
		found[ref] = info
		return info, err
	}
	why, err = manifest.CannotPark(spec.Defaulted(), image)
	if why != "" || err != nil {
		return "", why, err
	}
	spec.Owner, spec.Subnet, spec.File, spec.UI, spec.Warm = orchestrator.Owner{}, netip.Prefix{}, "", false, 0
	files := map[string]string{}
	for inside, local := range spec.Files {
		content, mode, err := manifest.ReadSmall(local)
		if errors.Is(err, fs.ErrNotExist) {
			return "", local + " is gone", nil
		}
		if err != nil {
			return "", "", err
		}
		files[inside] = fmt.Sprintf("%o %x", mode, sha256.Sum256(content))
	}
	spec.Files = files
	ids := map[string]string{}
	for ref, info := range found {
		ids[ref] = info.ID
	}
	text, err := json.Marshal(struct {
		Spec   orchestrator.Spec
		Images map[string]string
		Shell  string
		User   int
	}{spec, ids, manifest.ParkedFile, os.Getuid()})
	if err != nil {
		return "", "", fmt.Errorf("encode the spec: %w", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text)), "", nil
}
