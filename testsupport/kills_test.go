//go:build kills

package testsupport_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/beamyard/beamyard/testsupport"
)

var (
	kills     = flag.Int("kills", 20, "how many times a test binary is killed")
	killsSeed = flag.Uint64("seed", rand.Uint64(), "of the moments; the same seed has the same ones")
)

// nameVariable is the name of the cluster of a victim that is killed before it can tell it.
const nameVariable = "BEAMYARD_TEST_NAME"

func init() {
	victims["is killed"] = func(t *testing.T) {
		c := testsupport.Start(t, demo, testsupport.WithNodes(3), testsupport.WithName(os.Getenv(nameVariable)))
		fmt.Println("up " + c.Name())
		select {}
	}
}

// Nothing is left of a test binary that is killed with SIGKILL, at whatever moment.
func TestKilledTestBinary(t *testing.T) {
	moments := rand.New(rand.NewPCG(*killsSeed, 3))
	var full time.Duration
	t.Run("is not killed", func(t *testing.T) {
		began := time.Now()
		testsupport.Start(t, demo, testsupport.WithNodes(3))
		full = time.Since(began)
	})
	t.Logf("seed %d; a start takes %s", *killsSeed, full.Round(time.Millisecond))
	for i := range *kills {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			name := fmt.Sprintf("killed-%d-%d", os.Getpid()%100000, i)
			after := time.Duration(moments.Int64N(int64(full * 5 / 4)))
			v := launchVictim(t, "is killed", []string{nameVariable + "=" + name})
			v.cluster = name
			<-time.After(after)
			_ = v.cmd.Process.Kill() // it runs: nothing else ends it
			v.ended()
			took := v.gone()
			t.Logf("killed after %s; gone %s later", after.Round(time.Millisecond), took.Round(10*time.Millisecond))
			if took > leftTime() {
				t.Errorf("that is more than %s", leftTime())
			}
		})
	}
}
