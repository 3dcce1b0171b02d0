package manifest

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestOwnerInAContainer(t *testing.T) {
	files := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n# a remark\n\nrabbitmq:x:101:102:RabbitMQ:/var/lib/rabbitmq:/bin/sh\n1000:x:7:8::/:\n",
		"/etc/group":  "root:x:0:\nstaff:x:50:\n",
	}
	for _, tt := range []struct{ user, want string }{
		{"", "0:0"},
		{"root", "0:0"},
		{"rabbitmq", "101:102"},
		{"101", "101:102"},
		{"4711", "4711:0"}, // a user that is not in /etc/passwd
		{"rabbitmq:staff", "101:50"},
		{"rabbitmq:12", "101:12"},
		{"4711:4712", "4711:4712"},
		{":staff", "0:50"},
		{"nobody", "user nobody is not in /etc/passwd of the image"},
		{"rabbitmq:nogroup", "group nogroup is not in /etc/group of the image"},
	} {
		owner, err := FileOwnerOf(tt.user, func(path string) (string, error) { return files[path], nil })
		got := fmt.Sprintf("%d:%d", owner.uid, owner.gid)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q is %s, want %s", tt.user, got, tt.want)
		}
	}
	broken := errors.New("the engine is away")
	if _, err := FileOwnerOf("rabbitmq", func(string) (string, error) { return "", broken }); !errors.Is(err, broken) {
		t.Errorf("an engine that is away: %v", err)
	}
}

func FuzzOwnerIn(f *testing.F) {
	f.Add("a:b", "a:x:1:2::/:\n", "b:x:3:\n")
	f.Add("7", ":::\n7:7", "\x00")
	f.Fuzz(func(t *testing.T, user, passwd, group string) {
		owner, err := FileOwnerOf(user, func(path string) (string, error) {
			return map[string]string{"/etc/passwd": passwd, "/etc/group": group}[path], nil
		})
		if err == nil && user == "" && owner != (FileOwner{}) {
			t.Errorf("no user yields the owner %+v", owner)
		}
	})
}

func TestFilesOfASpec(t *testing.T) {
	local := filepath.Join(t.TempDir(), "app.conf")
	if err := os.WriteFile(local, []byte("a = b"), 0o640); err != nil {
		t.Fatal(err)
	}
	s := orchestrator.Spec{Cookie: "crumb", CookieFile: "/root/.erlang.cookie", Files: map[string]string{"/etc/app/app.conf": local}}
	archive, err := Archive(s, FileOwner{1, 2}, []Folder{{"/run/x", 0o1777, FileOwner{}}, {"/data", 0o755, FileOwner{1, 2}}}, map[string][]byte{"/.beamyard/tls/key.pem": []byte("secret")}, time.Unix(1_700_000_000, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		got = append(got, fmt.Sprintf("%s %o %d:%d %s", h.Name, h.Mode, h.Uid, h.Gid, text))
	}
	want := []string{"run/x/ 1777 0:0 ", "data/ 755 1:2 ", "etc/app/app.conf 640 1:2 a = b", "root/.erlang.cookie 400 1:2 crumb", ".beamyard/tls/key.pem 400 1:2 secret"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, why := range map[string]string{large: "at most 1048576", t.TempDir(): "not a regular file", local + "x": "no such file"} {
		_, err := Archive(orchestrator.Spec{Files: map[string]string{"/f": path}}, FileOwner{}, nil, nil, time.Now(), nil)
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "/f") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
