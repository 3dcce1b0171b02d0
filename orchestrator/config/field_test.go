package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestField(t *testing.T) {
	for path, want := range map[string]string{
		"pool": "Pool", "distribution.port": "Distribution.Port", "nodes.http_port": "Nodes.HTTPPort", "cpus": "CPUs",
		"": "", "poll": "", "distribution.poll": "", "pool.port": "", "nodes.replicas": "", "env_file": "",
	} {
		if got, ok := Field(path); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %t", path, got, ok)
		}
	}
}

// The settings that hints name are keys of the file.
func TestSettingsOfHintsAreKeys(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, _ := call.Fun.(*ast.SelectorExpr)
			if of == nil || of.Sel.Name != "Setting" && of.Sel.Name != "SettingOf" {
				return true
			}
			in, args := "", call.Args
			if of.Sel.Name == "SettingOf" {
				in, args = "nodes.", args[1:]
			}
			for _, arg := range args {
				literal, ok := arg.(*ast.BasicLit)
				if !ok {
					continue
				}
				found++
				text, _ := strconv.Unquote(literal.Value)
				key, _, _ := strings.Cut(text, ": ")
				if strings.HasPrefix(key, "env.") { // a variable
					key = "env"
				}
				if _, ok := Field(in + key); !ok {
					t.Errorf("%s: %s is not a key", files.Position(arg.Pos()), key)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || found < 15 {
		t.Errorf("%d settings were found: %v", found, err)
	}
}
