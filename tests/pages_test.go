package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// The page of every package that others may import has a program.
func TestPagesHavePrograms(t *testing.T) {
	example := regexp.MustCompile(`(?m)^func Example\w*\(\)`)
	for pkg := range moduleImports(t) {
		switch {
		case pkg == "." || pkg == "ops/asm" || strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "cmd/") || strings.HasPrefix(pkg, "examples/") || strings.HasPrefix(pkg, "tests"):
			continue // ops/asm is for ops alone
		}
		files, err := filepath.Glob(filepath.Join(testdata.Root(), filepath.FromSlash(pkg), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || example.Match(b)
		}
		if !found {
			t.Errorf("package %s has no example", pkg)
		}
	}
}
