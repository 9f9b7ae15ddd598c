// Package tests holds what is tested from outside, across packages.
package tests

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

const module = "github.com/normswap/normswap"

// TestImportsPointDown holds every package to the table of
// docs/ARCHITECTURE.md. It reads all files, those for other platforms
// included, and leaves out tests, which may import what they like.
func TestImportsPointDown(t *testing.T) {
	table := importTable(t)
	for pkg, imports := range moduleImports(t) {
		may, listed := table[pkg]
		if !listed {
			may, listed = table[path.Dir(pkg)+"/*"]
		}
		switch {
		case !listed:
			t.Errorf("package %s is not in the table of docs/ARCHITECTURE.md", pkg)
		case slices.Contains(may, "everything but ops/asm"):
			if slices.Contains(imports, "ops/asm") {
				t.Errorf("package %s imports ops/asm, which is for ops alone", pkg)
			}
		default:
			for _, imp := range imports {
				if !slices.Contains(may, imp) {
					t.Errorf("package %s imports %s, may import %s", pkg, imp, strings.Join(may, ", "))
				}
			}
		}
	}
}

// importTable reads the rows "| packages | what they may import |". Remarks
// in parentheses are for people.
func importTable(t *testing.T) map[string][]string {
	b, err := os.ReadFile(filepath.Join(testdata.Root(), "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "| package | may import, of this module |\n|---|---|\n")
	if !found {
		t.Fatal("docs/ARCHITECTURE.md has no table of imports")
	}
	remark := regexp.MustCompile(`\([^)]*\)`)
	cells := func(s string) (list []string) {
		for _, w := range strings.Split(remark.ReplaceAllString(s, ""), ",") {
			list = append(list, strings.TrimSpace(w))
		}
		return list
	}
	table := map[string][]string{}
	for row := range strings.Lines(text) {
		c := strings.Split(row, "|")
		if len(c) != 4 {
			break
		}
		for _, pkg := range cells(c[1]) {
			table[pkg] = cells(c[2])
		}
	}
	if len(table) < 10 {
		t.Fatalf("the table of imports has %d packages", len(table))
	}
	return table
}

// moduleImports maps each package of the root module to the packages of this
// module that it imports.
func moduleImports(t *testing.T) map[string][]string {
	imports := map[string][]string{}
	root := testdata.Root()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if file != root && (err == nil || strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".")) {
				return fs.SkipDir // a module of its own, or not for the go command
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		imports[pkg] = append(imports[pkg], nil...)
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if rel, ok := strings.CutPrefix(p, module+"/"); ok && !slices.Contains(imports[pkg], path.Clean(rel)) {
				imports[pkg] = append(imports[pkg], path.Clean(rel))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}
