package testsupport

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// session is shared by all clusters of this process: one engine, one provider of
// testcontainers, one watchdog.
type session struct {
	eng      *docker.Engine
	info     orchestrator.EngineInfo
	provider *testcontainers.DockerProvider
	reaps    bool // we disabled Ryuk, so our watchdog does its work

	mu        sync.Mutex
	guard     *guard // nil until the first cluster
	connected bool   // to Ryuk
}

var current struct {
	sync.Mutex
	*session
}

// join returns the session of this process. The first call prepares the environment of
// testcontainers, which reads it only once, so it should precede any other use of
// testcontainers; [Main] ensures that. If the engine did not answer, the next call tries again.
func join(ctx context.Context) (*session, error) {
	current.Lock()
	defer current.Unlock()
	if current.session != nil {
		return current.session, nil
	}
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return nil, err
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return nil, err
	}
	around := surroundings{
		env: os.LookupEnv, properties: properties(), info: info, dockerenv: exists("/.dockerenv"), session: newSessionID(),
		inside: func() bool { return inside(ctx, eng) },
		ryuk:   func(image string) bool { return canHave(ctx, eng, image) },
	}
	variables := around.variables()
	for key, value := range variables {
		if err := os.Setenv(key, value); err != nil {
			return nil, fmt.Errorf("set %s for testcontainers: %w", key, err)
		}
	}
	reaps := variables[sessionVariable] != ""
	if off := variables[ryukVariable] != ""; off && !testcontainers.ReadConfig().Config.RyukDisabled {
		for key := range variables { // so that the next call returns the same error
			_ = os.Unsetenv(key) // cannot fail: it was set
		}
		return nil, orchestrator.WithHint(fmt.Errorf("testcontainers was used before testsupport, and wants its reaper %s, which cannot be had here", testcontainers.ReaperDefaultImage), //nolint:staticcheck // no other name tells which image it is
			"let testsupport come first: func TestMain(m *testing.M) { os.Exit(testsupport.Main(m)) }\nor set %s=true", ryukVariable)
	}
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, fmt.Errorf("testcontainers finds no engine, where %s answers: %w", info.Endpoint, err)
	}
	current.session = &session{eng: eng, info: info, provider: provider, reaps: reaps}
	return current.session, nil
}

// connectReaper connects this process to Ryuk, once, if Ryuk is enabled. It does so before this
// process creates anything, because all test binaries of a `go test ./...` share one Ryuk: 10 s
// after the last binary that it knows of has ended, Ryuk removes everything that carries their
// session.
func (s *session) connectReaper(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected || testcontainers.ReadConfig().Config.RyukDisabled {
		return nil
	}
	reaper, err := testcontainers.NewReaper(ctx, testcontainers.SessionID(), s.provider, "") //nolint:staticcheck // nothing else connects without making something first
	if err != nil {
		return reaperFailed(err)
	}
	// Until this process ends; otherwise the next container would end the connection with its own.
	if _, err := reaper.Connect(); err != nil {
		return reaperFailed(err)
	}
	s.connected = true
	return nil
}

func reaperFailed(err error) error {
	return orchestrator.WithHint(err, "where testcontainers' reaper cannot run, switch it off: %s=true; clusters are removed by a watchdog, too", ryukVariable)
}

// The environment variables of testcontainers that are set here.
const (
	ryukVariable    = "TESTCONTAINERS_RYUK_DISABLED"
	sessionVariable = "TESTCONTAINERS_SESSION_ID"
	hostVariable    = "TESTCONTAINERS_HOST_OVERRIDE"
	hubVariable     = "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX"
	engineVariable  = "DOCKER_HOST"
)

// surroundings determine how testcontainers is set up.
type surroundings struct {
	env        func(string) (string, bool)
	properties map[string]string // of ~/.testcontainers.properties
	info       orchestrator.EngineInfo
	dockerenv  bool                    // a /.dockerenv exists
	inside     func() bool             // this process runs in a container of that engine
	ryuk       func(image string) bool // the engine has that image, or can pull it
	session    string                  // a unique ID
}

// variables returns the environment variables for testcontainers, in addition to the user's. It
// is pure except for the two functions that it calls.
func (s surroundings) variables() map[string]string {
	set := map[string]string{}
	given := func(key string) bool { value, ok := s.env(key); return ok && value != "" }
	// testcontainers does not support contexts of the docker command.
	_, tcHost := s.properties["tc.host"]
	if s.info.From == orchestrator.EndpointContext && !tcHost && !s.info.TLS && !strings.HasPrefix(s.info.Endpoint, "ssh:") {
		set[engineVariable] = s.info.Endpoint
	}
	// If /.dockerenv exists, testcontainers uses the bridge's gateway as the host of published
	// ports. The file also exists on machines that are not a container of this engine, whose
	// ports are published on the loopback address.
	if s.info.Local && s.dockerenv && !given(hostVariable) && !s.inside() {
		set[hostVariable] = s.info.Host
	}
	if _, inFile := s.properties["ryuk.disabled"]; given(ryukVariable) || inFile {
		return set // the user decided
	}
	image := testcontainers.ReaperDefaultImage //nolint:staticcheck // no other name tells which image it is
	prefix, _ := s.env(hubVariable)
	if prefix == "" {
		prefix = s.properties["hub.image.name.prefix"]
	}
	if prefix != "" {
		image = strings.TrimSuffix(prefix, "/") + "/" + image
	}
	if s.ryuk(image) {
		return set
	}
	set[ryukVariable] = "true" // exactly this text: see testcontainers' config
	if _, inFile := s.properties["session.id"]; !given(sessionVariable) && !inFile {
		// By default the session is the same in all processes of a `go test ./...`, so what one
		// process leaves could not be distinguished from what another still uses.
		set[sessionVariable] = s.session
	}
	return set
}

func newSessionID() string {
	return fmt.Sprintf("beamyard-%d-%s", os.Getpid(), strings.ToLower(rand.Text()[:10]))
}

// properties reads the relevant entries of testcontainers' own file.
func properties() map[string]string {
	found := map[string]string{}
	home, err := os.UserHomeDir()
	if err != nil {
		return found
	}
	f, err := os.Open(filepath.Join(home, ".testcontainers.properties"))
	if err != nil {
		return found
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if key = strings.TrimSpace(key); ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, "!") {
			found[key] = strings.TrimSpace(value)
		}
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ownContainer finds a container's ID in its mounts: the engine keeps the files hostname, hosts
// and resolv.conf in a folder of that name.
var ownContainer = regexp.MustCompile(`/containers/([0-9a-f]{64})/`)

// inside reports whether this process runs in a container of the engine.
func inside(ctx context.Context, eng orchestrator.Engine) bool {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	found := ownContainer.FindSubmatch(mounts)
	if found == nil {
		return false
	}
	_, err = eng.InspectContainer(ctx, string(found[1]))
	return err == nil
}

// pullPatience limits the wait for a registry that does not answer, once per process.
const pullPatience = 30 * time.Second

// canHave reports whether the engine has an image, or can pull it.
func canHave(ctx context.Context, eng images.Engine, image string) bool {
	if _, err := eng.Image(ctx, image); err == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, pullPatience)
	defer cancel()
	return eng.Pull(ctx, image, io.Discard) == nil
}
