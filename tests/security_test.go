package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestSecurityTable: every test that SECURITY.md names is there.
func TestSecurityTable(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testdata.Root(), "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{} // of the tests of a package
	named := regexp.MustCompile("`([a-z]+)[.]((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	for _, m := range named {
		dir := m[1]
		switch dir {
		case "infer":
			dir = "cmd/infer"
		case "machine":
			dir = "internal/machine"
		}
		if sources[dir] == "" {
			files, err := filepath.Glob(filepath.Join(testdata.Root(), dir, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				sources[dir] += string(b)
			}
		}
		if !regexp.MustCompile(`(?m)^func ` + m[2] + `\(`).MatchString(sources[dir]) {
			t.Errorf("SECURITY.md names %s of %s, which is not there", m[2], dir)
		}
	}
	if len(named) < 50 {
		t.Errorf("SECURITY.md names %d tests", len(named))
	}
}
