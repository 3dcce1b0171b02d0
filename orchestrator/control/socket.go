package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/gofrs/flock"
)

// ErrSupervised reports that the socket of a cluster cannot be acquired.
var ErrSupervised = errors.New("another process supervises the cluster")

// maxPath is the limit of sun_path in unix(7) for a path without its NUL: sun_path has 108
// bytes on Linux, 104 on BSD and macOS. The smaller one works everywhere.
const maxPath = 103

// folders are the possible folders of sockets, beginning with the one to listen in. A detached
// supervisor may have been started with XDG_RUNTIME_DIR set (a login) and be queried without it
// (cron, sudo, su), so readers look in all of them.
func folders() ([]string, error) {
	var all []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			all = append(all, filepath.Join(dir, "beamyard"))
		}
	}
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the XDG specification requires ignoring relative ones
		state = ""
		if home, err := os.UserHomeDir(); err == nil {
			state = filepath.Join(home, ".local", "state")
		}
	}
	if state != "" {
		all = append(all, filepath.Join(state, "beamyard"))
	}
	if len(all) == 0 {
		return nil, orchestrator.WithHint(errors.New("no folder for control sockets: neither XDG_RUNTIME_DIR nor HOME is set"),
			"export XDG_RUNTIME_DIR=/a/folder/of/your/own")
	}
	return all, nil
}

// lookedIn returns the folders that a reader searches: those of folders and the one that
// systemd's pam_systemd(8) makes for a login.
func lookedIn() ([]string, error) {
	all, err := folders()
	login := fmt.Sprintf("/run/user/%d/beamyard", os.Getuid())
	if !slices.Contains(all, login) {
		all = append(all, login)
	}
	return all, err
}

// file is the path of a cluster's file in a folder.
func file(folder, cluster, ext string) string { return filepath.Join(folder, cluster+ext) }

// LogFile opens and truncates the log file of the cluster's detached supervisor, with
// mode 0600, beside the socket.
func LogFile(cluster string) (*os.File, error) {
	folder, err := makeFolder()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file(folder, cluster, ".log"), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the supervisor's log: %w", err)
	}
	return f, nil
}

// CookieFile writes the cluster's cookie to a new file beside the socket, with mode 0600,
// for a program that receives its path: other users can see arguments and the
// environment. The caller removes the file; [RemoveFiles] removes it if the caller was
// killed.
func CookieFile(cluster, cookie string) (path string, err error) {
	folder, err := makeFolder()
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(folder, cluster+".*.cookie") // the name of a cluster contains no dot
	if err != nil {
		return "", fmt.Errorf("make a file for the cookie: %w", err)
	}
	_, err = f.WriteString(cookie)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write the cookie: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// RemoveFiles removes the files of [LogFile], [CookieFile] and [PageFile] after the cluster
// is removed.
func RemoveFiles(cluster string) error {
	all, err := folders()
	if err != nil {
		return err
	}
	files, _ := filepath.Glob(file(globbed(all[0]), cluster, ".*.cookie")) // the folder is quoted
	for _, path := range append(files, file(all[0], cluster, ".log"), file(all[0], cluster, pageExt)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what is left of cluster %s: %w", cluster, err)
		}
	}
	return nil
}

// globbed returns a pattern that matches only the path.
func globbed(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

// makeFolder creates the preferred folder, accessible only to its owner.
func makeFolder() (string, error) {
	all, err := folders()
	if err != nil {
		return "", err
	}
	folder := all[0]
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the folder for control sockets: %w", err)
	}
	// An existing folder may be open to others.
	if err := os.Chmod(folder, 0o700); err != nil {
		return "", fmt.Errorf("close the folder for control sockets to others: %w", err)
	}
	return folder, nil
}

// Listen acquires the cluster's socket. It fails with [ErrSupervised] while another
// process has it. Closing the listener removes the socket. A name with a folder,
// "parked/x", is that of a process that keeps no cluster of a name.
func Listen(ctx context.Context, cluster string) (net.Listener, error) {
	folder, err := makeFolder()
	if err != nil {
		return nil, err
	}
	path := file(folder, cluster, ".sock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for sockets: %w", err)
	}
	if answers(ctx, cluster, folder) {
		return nil, ErrSupervised
	}
	if len(path) > maxPath {
		return nil, orchestrator.WithHint(fmt.Errorf("control socket %s: its path has %d bytes, a unix socket's at most %d", path, len(path), maxPath),
			"set XDG_RUNTIME_DIR to a folder with a shorter path")
	}
	lock, err := acquire(file(folder, cluster, ".lock"))
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for errors.Is(err, ErrSupervised) && !listens(ctx, path) && wait.Sleep(limited, 5*time.Millisecond) {
		lock, err = acquire(file(folder, cluster, ".lock")) // its holder was about to let go of it
	}
	if err != nil {
		return nil, fmt.Errorf("lock control socket of %s: %w", cluster, err)
	}
	l := &listener{lock: lock}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		l.unlock()
		return nil, fmt.Errorf("remove a stale control socket: %w", err)
	}
	if l.Listener, err = net.Listen("unix", path); err != nil {
		l.unlock()
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	// Before this, the umask decided the mode; the folder's mode kept others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close the control socket to others: %w", err), l.Close())
	}
	return l, nil
}

// answers reports whether a supervisor of the cluster listens in a folder other than ours: a
// supervisor that was started with another environment holds its lock there.
func answers(ctx context.Context, cluster, ours string) bool {
	all, _ := lookedIn() // an error means fewer folders
	for _, folder := range all {
		if folder == ours {
			continue
		}
		if listens(ctx, file(folder, cluster, ".sock")) {
			return true
		}
	}
	return false
}

// listens reports whether a process listens on a socket, also if it takes no connection in time.
func listens(ctx context.Context, path string) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		late, ok := errors.AsType[net.Error](err)
		return ok && late.Timeout()
	}
	conn.Close()
	return true
}

// acquire locks a file that its holder removes. If the file was removed between opening and
// locking it, the lock is useless: acquire tries the next file.
func acquire(path string) (*flock.Flock, error) {
	for {
		lock := flock.New(path, flock.SetPermissions(0o600))
		ok, err := lock.TryLock()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ErrSupervised
		}
		mine, err := lock.Stat()
		if err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return lock, nil
		}
		if err := lock.Close(); err != nil {
			return nil, err
		}
	}
}

type listener struct {
	net.Listener
	lock *flock.Flock
	once sync.Once
}

// Close closes and removes the socket, then releases the lock.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = l.Listener.Close() // removes the socket as well
		l.unlock()
	})
	return err
}

func (l *listener) unlock() {
	_ = os.Remove(l.lock.Path()) // if it stays, it is an empty file that the next holder locks
	_ = l.lock.Close()           // the end of the process does the same
}

// Connect connects to the socket of [Listen]. [orchestrator.ErrNoSupervisor] matches if no process
// has it.
func Connect(ctx context.Context, name string) (net.Conn, error) {
	path, err := dial(ctx, name)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, "unix", path)
}

// dial connects to the cluster's socket, in whichever folder it is.
func dial(ctx context.Context, cluster string) (path string, err error) {
	all, err := lookedIn()
	if err != nil {
		return "", err
	}
	for _, folder := range all {
		path = file(folder, cluster, ".sock")
		if len(path) > maxPath {
			continue
		}
		var conn net.Conn
		if conn, err = new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
			conn.Close()
			return path, nil
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", fmt.Errorf("cluster %s: %w", cluster, orchestrator.ErrNoSupervisor)
}
