package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// listing is an engine that has clusters and can do nothing else: it speaks Docker's API, because
// the command line has no other engine. Its containers are gone when they are inspected.
func listing(t *testing.T, specs ...orchestrator.Spec) (dockerHost string) {
	t.Helper()
	type object map[string]any
	marshal := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	networks, containers := []object{}, []object{}
	for _, spec := range specs {
		cluster := map[string]string{orchestrator.LabelCluster: spec.Name}
		networks = append(networks, object{"Id": "net-" + spec.Name, "Name": "beamyard-" + spec.Name, "Labels": map[string]string{
			orchestrator.LabelCluster: spec.Name, orchestrator.LabelSpec: marshal(spec),
		}})
		for i, n := range spec.Nodes {
			containers = append(containers, object{"Id": spec.Name + n.Name, "Names": []string{"/beamyard-" + spec.Name + "-" + n.Name}, "State": "running", "Labels": map[string]string{
				orchestrator.LabelCluster: spec.Name, orchestrator.LabelNode: n.Name, orchestrator.LabelIndex: fmt.Sprint(i),
			}})
		}
		cluster[orchestrator.LabelHelper] = "fault"
		cluster[orchestrator.LabelFault] = marshal(fault.Fault{ID: "f" + spec.Name, Kind: fault.KindPartition, Groups: [][]string{{spec.Nodes[0].Name}}})
		containers = append(containers, object{"Id": "fault-" + spec.Name, "Names": []string{"/fault-" + spec.Name}, "State": "exited", "Labels": cluster})
	}
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", "1.41")
		switch _, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); path {
		case "networks":
			fmt.Fprint(w, marshal(networks))
		case "containers/json":
			fmt.Fprint(w, marshal(containers))
		case "": // _ping
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"no such thing"}`)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return "unix://" + socket
}

func demoSpec() orchestrator.Spec {
	spec := orchestrator.Spec{Name: "demo", Nodes: orchestrator.NodeNames(3)}
	spec.Nodes[2] = orchestrator.NodeSpec{Name: "web-1", Role: "web"}
	return spec.Defaulted()
}

func shopSpec() orchestrator.Spec {
	return orchestrator.Spec{Name: "shop", Nodes: orchestrator.NodeNames(1)}.Defaulted()
}

// Each shell's protocol on the real command line.
func TestCompletion(t *testing.T) {
	t.Setenv("DOCKER_HOST", listing(t, demoSpec(), shopSpec()))
	t.Setenv("BEAMYARD_CLUSTER", "")
	const breaks = " \t\n\"'@><=;|&(:"
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"zsh", "--", "unp"}, "=unpause:Unpause nodes: their processes continue\n"},
		{[]string{"zsh", "--", "kill", ""}, "=demo/n1:running\n=demo/n2:running\n=demo/web-1:running\n=demo/web:web-1\n=shop/n1:running\n"},
		{[]string{"zsh", "--", "kill", "-c", "demo", "n1", ""}, "=n2:running\n=web-1:running\n=web:web-1\n"},
		{[]string{"fish", "--", "down", ""}, "demo\t3 nodes\nshop\t1 node\n"},
		{[]string{"fish", "--", "heal", "-c", "shop", ""}, "fshop\tpartition n1 | the rest, drop\n"},
		{[]string{"fish", "--", "logs", "--stream", ""}, "stdout\t\nstderr\t\n"},
		{[]string{"fish", "--", "partition", "--kind=re"}, "--kind=reset\t\n"},
		{[]string{"fish", "--", "run", "-n", "2", "--", "./x", "-"}, ":files\n"},
		{[]string{"fish", "--", "exec", "demo/n1", "--", "l"}, ":files\n"},
		{[]string{"fish"}, ""}, // nothing is typed: see below
		{[]string{"bash", breaks, "beamyard partition --kind=re"}, "reset \n"},
		{[]string{"bash", breaks, "bin/beamyard -c demo"}, ""},
		{[]string{"bash", breaks, "bin/beamyard slow -c demo n1:n2,n2:"}, "n1\nweb-1\nweb\n"},
		{[]string{"bash", breaks, "beamyard kill -c demo 'n"}, "n1\nn2\n"},
		{[]string{"bash", breaks, "beamyard nonsense "}, ""},
		{[]string{"bash", breaks, "beamyard complete "}, "bash \nzsh \nfish \n"},
	} {
		code, stdout, stderr := beamyard(append([]string{"complete"}, tc.args...)...)
		if len(tc.args) == 1 {
			tc.want = stdout
			if !strings.HasPrefix(stdout, "up\tStart a cluster") {
				t.Errorf("%q: %s", tc.args, stdout)
			}
		}
		if code != 0 || stdout != tc.want || stderr != "" {
			t.Errorf("%q: exit %d, %q\nwant %q\n%s", tc.args, code, stdout, tc.want, stderr)
		}
	}
}

// An engine that is not there, or does not answer, has no names, and is waited for a second.
func TestCompletionWithoutAnEngine(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, host := range []string{"unix:///nonexistent/docker.sock", "unix://" + silent, "nonsense"} {
		t.Setenv("DOCKER_HOST", host)
		code, stdout, stderr := beamyard("complete", "fish", "--", "kill", "")
		if code != 0 || stdout != "" || stderr != "" {
			t.Errorf("%s: exit %d, %q, %q", host, code, stdout, stderr)
		}
	}
}

// Every value of the command line that stands for a file, a node or a cluster says so.
func TestCompletionKnowsWhatAValueIs(t *testing.T) {
	known := []string{"cluster", "node", "nodes", "links", "fault", "files"}
	for _, command := range newParser(t).Model.Leaves(true) {
		for _, v := range command.Values() {
			kind := v.Tag.Get("complete")
			if kind != "" && !slices.Contains(known, kind) && !strings.Contains(kind, "|") {
				t.Errorf("%s %s: complete:%q is not known", command.Name, v.Name, kind)
			}
			holder := v.Tag.PlaceHolder
			if kind == "" && (holder == "FILE" || holder == "DIR" && command.Name != "exec" || holder == "NODE" || v.Name == "node" || v.Name == "cluster") {
				t.Errorf("%s %s has no tag complete", command.Name, v.Name)
			}
		}
	}
}

// shells are the programs that read the scripts, and how each starts bare, with a function in place
// of beamyard that prints its arguments.
var shells = []struct {
	name   string
	args   []string
	stub   string
	source string
}{
	{
		"bash", []string{"--norc", "--noprofile", "-i"},
		`beamyard() { case $1 in comple*) command beamyard "$@" ;; *) printf '<%s>' "$@"; echo . ;; esac; }`, `eval "$(beamyard completion bash)"`,
	},
	{
		"zsh", []string{"-f", "-i"},
		`beamyard() { case $1 in comple*) command beamyard "$@" ;; *) printf '<%s>' "$@"; echo . ;; esac; }; autoload -U compinit; compinit -u -D`, `eval "$(beamyard completion zsh)"`,
	},
	{
		"fish", []string{"--no-config", "-i"},
		`function beamyard; switch $argv[1]; case 'comple*'; command beamyard $argv; case '*'; printf '<%s>' $argv; echo .; end; end; set fish_greeting`, `beamyard completion fish | source`,
	},
}

// Real shells read their scripts: what is typed with a Tab is what is run. Bash is everywhere; zsh
// and fish are used where they are.
func TestCompletionInAShell(t *testing.T) {
	for _, shell := range shells {
		path, err := exec.LookPath(shell.name)
		if err != nil {
			if shell.name == "bash" {
				t.Error(err)
			}
			continue
		}
		t.Run(shell.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "some-folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			x := programOnTerminal(t, dir, []string{"DOCKER_HOST=" + listing(t, demoSpec()), "BEAMYARD_CLUSTER=", "HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "INPUTRC=/dev/null", "HISTFILE=", "TERM=vt100", "PS1=> "}, path, shell.args...)
			x.types(shell.stub + "\n" + shell.source + "\n")
			for _, tc := range []struct{ typed, run string }{
				{"beamyard vers\t", "<version>."},
				{"beamyard kill --signal TE\tn2", "<kill><--signal><TERM><n2>."},
				{"beamyard partition --kind=re\t--hal\t", "<partition><--kind=reset><--halves>."},
				{"beamyard slow n1:n\t --ra\t1mbit", "<slow><n1:n2><--rate><1mbit>."},
				{"beamyard kill @mi\tn1", "<kill><@minority><n1>."},
				{"beamyard kill demo/@o\tn1", "<kill><demo/@one><n1>."},
				{"beamyard kill '@mi\tn1", "<kill><@minority><n1>."},
				{"beamyard partition demo/n1,n\t --ri\t", "<partition><demo/n1,n2><--ring>."},
				{"beamyard iex demo/web-\t", "<iex><demo/web-1>."},
				{"beamyard heal f\t", "<heal><fdemo>."},
				{"beamyard up some-f\t", "<up><some-folder"},
				{"beamyard run --progress pl\t-- some-f\t", "<run><--progress><plain><--><some-folder"},
			} {
				x.types(tc.typed + "\n")
				x.shows(tc.run)
			}
			x.types("exit\n")
			if code := x.exits(); code != 0 {
				t.Errorf("exit %d\n%s", code, x)
			}
		})
	}
}
