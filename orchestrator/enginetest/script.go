package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Script is the program of the containers of package contract. It executes its command,
// as a small binary does on a real engine.
//
//	print N    N lines to each stream     exit N    ends with that code
//	long N     one line of N characters   wait      until TERM
//	hostname   prints it                  stubborn  until KILL
//	env KEY    prints its value           write PATH TEXT, then until TERM
//	net-admin  prints whether it may      read PATH  prints a mounted file
//	where      prints its user and folder echo      prints what it reads, to its end
//	keys N     says which N bytes its terminal sends, each as it comes
//	sees PID   prints whether there is such a process
//	columns N… waits until its terminal is that wide, and says so, for each
//
// An entrypoint other than the image's, or any other word, is a missing command: it exits
// with 127, as an init does.
func Script(ctx context.Context, p *Process) int {
	if len(p.Spec.Entrypoint) > 0 {
		return 127
	}
	word := func(i int) string {
		if i < len(p.Spec.Command) {
			return p.Spec.Command[i]
		}
		return ""
	}
	number, _ := strconv.Atoi(word(1)) // 0 where there is none
	switch word(0) {
	case "print":
		for i := range number {
			fmt.Fprintf(p.Stdout, "stdout %d\n", i+1)
			fmt.Fprintf(p.Stderr, "stderr %d\n", i+1)
		}
	case "long":
		fmt.Fprintln(p.Stdout, strings.Repeat("x", number))
	case "hostname":
		fmt.Fprintln(p.Stdout, p.Spec.Hostname, nil)
	case "env":
		fmt.Fprintln(p.Stdout, lookup(p.Spec, word(1)))
	case "read":
		text, err := readMounted(p.Spec, word(1))
		fmt.Fprintln(p.Stdout, text, err)
	case "sees":
		fmt.Fprintln(p.Stdout, p.sees(number))
	case "net-admin":
		fmt.Fprintln(p.Stdout, slices.Contains(p.Spec.Capabilities, "NET_ADMIN"), nil)
	case "exit":
		return number
	case "write":
		p.WriteFile(word(1), []byte(word(2)))
		fmt.Fprintln(p.Stdout, "waiting")
		return UntilStopped(ctx, p)
	case "wait":
		fmt.Fprintln(p.Stdout, "waiting")
		return UntilStopped(ctx, p)
	case "where":
		fmt.Fprintln(p.Stdout, cmp.Or(p.Spec.User, "0"), p.Spec.WorkingDir)
	case "echo":
		_, _ = io.Copy(p.Stdout, p.Stdin) // ends with the process
	case "keys":
		fmt.Fprint(p.Stdout, "waiting\r\n")
		for range number {
			var key [1]byte
			if _, err := io.ReadFull(p.Stdin, key[:]); err != nil {
				return 1
			}
			fmt.Fprintf(p.Stdout, "%x\r\n", key[0])
		}
	case "columns":
		return columns(ctx, p)
	case "stubborn":
		fmt.Fprintln(p.Stdout, "waiting")
		<-ctx.Done()
	case "":
	default:
		return 127
	}
	return 0
}

// columns says how wide the terminal has become.
func columns(ctx context.Context, p *Process) int {
	if p.TTY == nil {
		fmt.Fprintln(p.Stdout, "no terminal")
		return 1
	}
	size := p.TTY.Size
	for _, want := range p.Spec.Command[1:] {
		for strconv.Itoa(int(size.Columns)) != want {
			select {
			case size = <-p.TTY.Resizes:
			case <-ctx.Done():
				return 137
			}
		}
		fmt.Fprintf(p.Stdout, "%s columns\r\n", want)
	}
	return 0
}

func lookup(spec orchestrator.ContainerSpec, key string) string {
	for _, kv := range spec.Env {
		if k, v, _ := strings.Cut(kv, "="); k == key {
			return v
		}
	}
	return ""
}

// readMounted reads a file that the container was given.
func readMounted(spec orchestrator.ContainerSpec, path string) (string, error) {
	for _, m := range spec.Mounts {
		if m.Target == path {
			text, err := os.ReadFile(m.Source)
			return string(text), err
		}
	}
	return "", os.ErrNotExist
}
