package codesync

import (
	"context"
	"crypto/md5"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

// Conn is a distribution connection to a node. [erldist.Conn] is one.
type Conn interface {
	Call(ctx context.Context, module, function string, args ...any) (any, error)
	Eval(ctx context.Context, expressions string, bindings map[string]any) (any, error)
	Close() error
}

//go:embed compiler.ex
var compilerText string

const compilerModule = "Elixir.Beamyard.Compiler"

// Idle is the program that the compiler's VM starts with: it ends the VM after ten
// minutes without a request. Elixir, for `elixir -e`.
const Idle = `f = fn f, t -> receive do {:awake, t} -> f.(f, t) after t -> ` +
	`if Process.whereis(Beamyard.Compiler), do: f.(f, t), else: System.halt(0) end end; ` +
	`Process.register(spawn(fn -> f.(f, 600_000) end), :beamyard_idle)`

// Archive is the file in which the compiler keeps what the last sync gave the nodes, as
// an archive for containers that are not running. It does not exist before the first
// sync.
const Archive = "/tmp/beamyard/overlay.tar"

// compiler is the connection to the compiler's VM.
type compiler struct {
	Conn
	project string // see [projectOf]
}

// open ensures that the VM has our module, in this version.
func (c compiler) open(ctx context.Context) error {
	program := strings.Replace(compilerText, `"PROJECT"`, `"`+inString.Replace(c.project)+`"`, 1)
	sum := md5.Sum([]byte(program))
	version := hex.EncodeToString(sum[:])
	told, err := c.Call(ctx, compilerModule, "version")
	if has, _ := erldist.Text(told); err == nil && has == version {
		return nil
	}
	if module, err := c.Call(ctx, "Elixir.Mix.Project", "get"); err != nil {
		return err
	} else if module == any(erldist.Atom("nil")) {
		return ErrNoProject
	}
	text := strings.Replace(program, `"VERSION"`, `"`+version+`"`, 1)
	_, err = c.Call(ctx, "Elixir.Code", "compile_string", text, "compiler.ex")
	return err
}

// inString escapes characters that are special in an Elixir string.
var inString = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "#{", `\#{`)

func (c compiler) call(ctx context.Context, function string, args ...any) (any, error) {
	return c.Call(ctx, compilerModule, function, args...)
}

// lock locks the compiler for owner, a node that is connected to it, until unlock or until the
// owner disconnects.
func (c compiler) lock(ctx context.Context, owner string) error {
	_, err := c.call(ctx, "lock", erldist.Atom(owner))
	if ctx.Err() != nil {
		_ = c.Close() // otherwise a lock could be granted later, without an owner
	}
	return err
}

// unlock releases the lock. A call that was cancelled with ctx may continue in the VM: unlock
// then closes the connection, so that the VM releases the lock once the call has ended.
func (c compiler) unlock(ctx context.Context) {
	if ctx.Err() != nil {
		_ = c.Close()
		return
	}
	_, _ = c.call(context.WithoutCancel(ctx), "unlock") // if it fails, closing c releases it
}

// sources returns the compiler's project folder and the sums of its files.
func (c compiler) sources(ctx context.Context) (root string, sums map[string]Sum, err error) {
	reply, err := c.call(ctx, "sources")
	if err != nil {
		return "", nil, err
	}
	t, ok := tuple(reply, 2)
	if !ok {
		return "", nil, unexpected(reply)
	}
	root, _ = erldist.Text(t[0])
	sums = map[string]Sum{}
	for _, e := range list(t[1]) {
		if entry, ok := tuple(e, 2); ok {
			sums[text(entry[0])] = sum(entry[1])
		}
	}
	return root, sums, nil
}

type content struct {
	path string
	mode int64
	data []byte
}

func (c compiler) put(ctx context.Context, files []content, removed []string) error {
	list, gone := erldist.List{}, erldist.List{}
	for _, f := range files {
		list = append(list, erldist.Tuple{f.path, f.mode, f.data})
	}
	for _, p := range removed {
		gone = append(gone, p)
	}
	reply, err := c.call(ctx, "put", list, gone)
	if t, failed := tuple(reply, 2); err == nil && failed {
		return &WriteError{text(t[1])}
	}
	return err
}

// compile runs Mix. ok is false if the compilation failed; printed is Mix's output.
func (c compiler) compile(ctx context.Context, deep bool) (ok bool, printed string, took time.Duration, err error) {
	reply, err := c.call(ctx, "compile", deep)
	if err != nil {
		return false, "", 0, err
	}
	t, isTuple := tuple(reply, 3)
	if !isTuple {
		return false, "", 0, unexpected(reply)
	}
	micros, _ := t[2].(int64)
	return t[0] != any(erldist.Atom("error")), text(t[1]), time.Duration(micros) * time.Microsecond, nil
}

// tree is the part of the compiler's disk that differs from the image.
type tree struct {
	files   []File
	gone    []string
	modules map[string]Module
}

// overlay returns what differs from the image. all means that it is unknown what nodes
// received: the result then includes all files of the project.
func (c compiler) overlay(ctx context.Context, deep, all bool) (tree, error) {
	reply, err := c.call(ctx, "overlay", deep, all)
	if err != nil {
		return tree{}, err
	}
	t, ok := tuple(reply, 3)
	if !ok {
		return tree{}, unexpected(reply)
	}
	got := tree{modules: map[string]Module{}}
	for _, e := range list(t[0]) {
		if f, ok := tuple(e, 5); ok {
			mode, _ := f[1].(int64)
			uid, _ := f[2].(int64)
			gid, _ := f[3].(int64)
			got.files = append(got.files, File{Path: text(f[0]), Mode: mode, UID: int(uid), GID: int(gid), Sum: sum(f[4])})
		}
	}
	for _, e := range list(t[1]) {
		got.gone = append(got.gone, text(e))
	}
	for _, e := range list(t[2]) {
		if m, ok := tuple(e, 6); ok {
			name := text(m[0])
			module := Module{Name: name, MD5: sum(m[1]), Path: text(m[2]), File: sum(m[3]), OnLoad: isTrue(m[5])}
			if in, isIn := tuple(m[4], 2); isIn {
				module.Released, module.ReleasedFile = text(in[0]), sum(in[1])
			}
			got.modules[name] = module
		}
	}
	return got, nil
}

func (c compiler) read(ctx context.Context, paths []string) ([][]byte, error) {
	args := erldist.List{}
	for _, p := range paths {
		args = append(args, p)
	}
	reply, err := c.call(ctx, "read", args)
	if err != nil {
		return nil, err
	}
	got := list(reply)
	if len(got) != len(paths) {
		return nil, unexpected(reply)
	}
	data := make([][]byte, len(paths))
	for i, e := range got {
		data[i], _ = e.([]byte)
	}
	return data, nil
}

func (c compiler) keepArchive(ctx context.Context, archive []byte) error {
	_, err := c.call(ctx, "keep_archive", archive)
	return err
}

func tuple(term any, size int) (erldist.Tuple, bool) {
	t, ok := term.(erldist.Tuple)
	return t, ok && len(t) == size
}

func list(term any) erldist.List {
	l, _ := term.(erldist.List)
	return l
}

func text(term any) string {
	s, _ := erldist.Text(term)
	return s
}

func sum(term any) (s Sum) {
	b, _ := term.([]byte)
	copy(s[:], b)
	return s
}

func unexpected(reply any) error {
	return errors.New("unexpected answer " + fmt.Sprintf("%.200s", erldist.Format(reply)))
}
