package orchestrator

import (
	"crypto/rand"
	"time"

	"github.com/beamyard/beamyard/network"
)

// Defaults of a [Spec].
const (
	DefaultMaxNodes     = 50
	DefaultHTTPPort     = 4000
	DefaultHostPort     = 4200
	DefaultDistPort     = 9100
	DefaultReadyTimeout = 30 * time.Second
	DefaultStopTimeout  = 5 * time.Second
	DefaultOutputLines  = 1000
)

// Defaulted returns the spec with the default in every unset field. It is the only place
// that defines a cluster's defaults.
func (s Spec) Defaulted() Spec {
	setDefault(&s.MaxNodes, DefaultMaxNodes)
	setDefault(&s.Basename, "app")
	setDefault(&s.Domain, "test")
	setDefault(&s.BaseImage, "auto")
	setDefault(&s.MixEnv, s.Env["MIX_ENV"]) // if unset, the image's own applies: see MixEnvFor
	setDefault(&s.HTTPPort, DefaultHTTPPort)
	setDefault(&s.HostPort, DefaultHostPort)
	setDefault(&s.Distribution.Names, LongNames)
	if !s.portByEPMD() {
		setDefault(&s.Distribution.Port, DefaultDistPort)
	}
	setDefault(&s.Mesh, MeshBeamyard)
	setDefault(&s.Loopback, LoopbackForward)
	setDefault(&s.Boot, BootAuto)
	setDefault(&s.ReadyTimeout, DefaultReadyTimeout+time.Duration(max(0, len(s.Nodes)-10))*2*time.Second)
	setDefault(&s.OnFailed, FailedKeep)
	setDefault(&s.StopTimeout, DefaultStopTimeout)
	setDefault(&s.OutputLines, DefaultOutputLines)
	if !s.Pool.IsValid() {
		s.Pool = network.DefaultPool
	}
	if len(s.Hosts) > 0 {
		setDefault(&s.Place, PlaceSpread)
		setDefault(&s.OnHostLost, HostLostWait)
		s.Nodes = s.placed()
	}
	if s.Cookie == "" {
		s.Cookie = rand.Text()
	}
	s.Restart = s.Restart.withDefaults()
	return s
}

// setDefault sets a field that has its zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
