package tunnel

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// master is the ssh process whose connection the others use. See ssh(1), -M and -S.
type master struct {
	t      *Tunnel
	mu     sync.Mutex // held while one starts
	folder string
	socket string    // "" while there is none
	failed time.Time // when it could not be started: the others connect by themselves
}

// Times of a master: how long it may take to connect, and when it is tried again.
const (
	readyTime = 20 * time.Second
	againTime = time.Minute
)

// flags returns the flags with which ssh uses the master's connection. It starts the master if
// there is none.
func (m *master) flags(ctx context.Context) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.socket == "" && time.Since(m.failed) > againTime && runtime.GOOS != "windows" && ctx.Err() == nil && !m.start() {
		m.failed = time.Now()
	}
	if m.socket == "" {
		return []string{"-S", "none"}
	}
	return []string{"-S", m.socket} // without a master there, ssh connects by itself
}

// start runs the master until the tunnel is closed. Its remote command is cat: what it sends back
// says that the connection is there, and it ends when this process does, whose pipe it reads. The
// caller holds the lock.
func (m *master) start() bool {
	if m.folder == "" {
		sweep(time.Now())
		folder, err := os.MkdirTemp("", folderPrefix) // mode 0700
		if err != nil {
			return false
		}
		m.folder = folder
	}
	socket := filepath.Join(m.folder, "m")
	cmd := m.t.command(m.t.ctx, "-M", "-S", socket, "-o", "ControlPersist=no")
	cmd.Args = append(cmd.Args, "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		return false
	}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		in.Close()
		return false
	}
	ready := make(chan bool, 1)
	m.t.group.Go(func() {
		defer in.Close()
		_, err := io.WriteString(in, "\n")
		if err == nil {
			_, err = out.Read(make([]byte, 1)) // of whatever command the server runs
		}
		ready <- err == nil
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		m.ended()
	})
	timer := time.NewTimer(readyTime)
	defer timer.Stop()
	select {
	case ok := <-ready:
		if ok {
			m.socket = socket
		}
		return ok
	case <-timer.C:
		_ = cmd.Process.Kill() // fails if it has already exited
		return false
	}
}

// folderPrefix begins the name of a folder with the socket of a master.
const folderPrefix = "beamyard-ssh-"

// sweep removes the folders of processes that were killed. Their masters ended with them, and removed
// their sockets: the folders are empty. One that was just made may be so, too.
func sweep(now time.Time) {
	const old = 10 * time.Minute
	all, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*")) // the pattern is valid
	for _, folder := range all {
		if info, err := os.Lstat(folder); err == nil && info.IsDir() && now.Sub(info.ModTime()) > old {
			_ = os.Remove(folder) // fails for one that is used, and for another user's
		}
	}
}

// ended forgets a master that has exited: the next connection starts another one.
func (m *master) ended() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.socket = ""
}

// remove removes the folder of the socket.
func (m *master) remove() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.folder != "" {
		_ = os.RemoveAll(m.folder) // it is empty, and of temporary files
	}
}
