package reach

import (
	"slices"
	"strings"
	"testing"
)

// The texts were read in containers of Docker 20.10 with cgroups 1 and 2 and of Podman
// 4.3, and on a machine that runs containers.
func TestAContainersIDIsFound(t *testing.T) {
	const id, other = "4b10b3db49c87cc9caf91ae112ee3b55eebf2395f907f8b97e97d6d7e411c99d", "0c10b3db49c87cc9caf91ae112ee3b55eebf2395f907f8b97e97d6d7e411c990"
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"mounts of Docker":           {"261 207 254:0 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n", []string{id}},
		"mounts of Podman":           {"612 600 0:24 /containers/overlay-containers/" + id + "/userdata/hosts /etc/hosts rw,nosuid - tmpfs tmpfs rw\n", []string{id}},
		"groups, version 1":          {"9:name=systemd:/docker/" + id + "\n8:pids:/docker/" + id + "\n", []string{id, id}},
		"a container in a container": {"8:pids:/docker/" + other + "/docker/" + id + "\n", []string{id}},
		"systemd's driver":           {"0::/system.slice/docker-" + id + ".scope\n", []string{id}},
		"groups, version 2":          {"0::/\n", nil},
		"a machine with containers":  {"88 30 0:50 / /var/lib/docker/overlay2/" + id + "/merged rw - overlay overlay rw\n90 30 0:51 / /var/lib/docker/containers/" + id + "/mounts/shm rw - tmpfs shm rw\n", nil},
	} {
		if got := containerIDs(strings.NewReader(tt.file)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
