package fault

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// aloneEnv makes the test binary print what it finds, and what it leaves, in the network
// namespace in which it was started.
const aloneEnv = "BEAMYARD_TEST_FEATURES"

type alone struct {
	First, Second  Support
	Tables, Queues int // those that exist afterwards
	Err            string
}

func TestMain(m *testing.M) {
	if os.Getenv(aloneEnv) != "" {
		_ = json.NewEncoder(os.Stdout).Encode(tellAlone())
		os.Exit(0)
	}
	if os.Getuid() != 0 {
		os.Exit(runAsRoot())
	}
	os.Exit(m.Run())
}

// runAsRoot runs the tests again in a user namespace in which they have all rights.
func runAsRoot() int {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "in a user namespace, without which these tests need root: %v\n", err)
		return 1
	}
	return 0
}

func tellAlone() (a alone) {
	a.First, a.Second = Features(), Features()
	conn, err := nftables.New()
	if err != nil {
		return alone{Err: err.Error()}
	}
	tables, err := conn.ListTables()
	if err != nil && a.First.Nftables.Works {
		return alone{Err: err.Error()}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return alone{Err: err.Error()}
	}
	queues, err := netlink.QdiscList(lo)
	if err != nil {
		return alone{Err: err.Error()}
	}
	a.Tables = len(tables)
	for _, q := range queues {
		if q.Type() != "noqueue" {
			a.Queues++
		}
	}
	return a
}

// What a kernel has differs. But two examinations agree, say in the kernel's words what
// is missing, and leave nothing behind.
func TestFeaturesLeaveNothing(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("in its own namespace: %v", err)
	}
	var a alone
	if err := json.Unmarshal(out, &a); err != nil || a.Err != "" {
		t.Fatalf("%s: %v %s", out, err, a.Err)
	}
	if a.First != a.Second {
		t.Errorf("first %+v, then %+v", a.First, a.Second)
	}
	if a.Tables != 0 || a.Queues != 0 {
		t.Errorf("%d tables and %d queues are left", a.Tables, a.Queues)
	}
	for name, f := range map[string]Feature{"nftables": a.First.Nftables, "reset": a.First.Reset, "destroy": a.First.Destroy, "htb": a.First.HTB, "netem": a.First.Netem} {
		if f.Works == (f.Why != "") {
			t.Errorf("%s: %+v", name, f)
		}
		// With all rights in its own namespace, only what the kernel lacks is missing.
		if strings.Contains(f.Why, syscall.EPERM.Error()) {
			t.Errorf("%s is forbidden: %s", name, f.Why)
		}
	}
	if !a.First.Nftables.Works {
		t.Errorf("every kernel that runs containers today has nftables, but this one reports %s", a.First.Nftables.Why)
	}
}

// Without CAP_NET_ADMIN everything is forbidden, and nothing is reported as missing.
func TestFeaturesWithoutTheRight(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread, with its rights, ends with the test
	dropCapabilities(t)
	s := Features()
	for name, f := range map[string]Feature{"nftables": s.Nftables, "reset": s.Reset, "destroy": s.Destroy, "htb": s.HTB, "netem": s.Netem} {
		if f.Works || !strings.Contains(f.Why, syscall.EPERM.Error()) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// dropCapabilities removes this thread's effective capabilities (capset(2)).
func dropCapabilities(t *testing.T) {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522} // _LINUX_CAPABILITY_VERSION_3
	var none [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); errno != 0 {
		t.Fatal(errno)
	}
}
