package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestPluginPage holds the code of docs/PLUGIN.md to the files it is quoted
// from: the first line of each block names one.
func TestPluginPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testdata.Root(), "docs", "PLUGIN.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```go\n// ")[1:]
	if len(blocks) != 4 {
		t.Errorf("%d blocks of code, want 4", len(blocks))
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "```\n")
		name, code, _ := strings.Cut(b, "\n")
		source, err := os.ReadFile(filepath.Join(testdata.Root(), filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if code == "" || !strings.Contains(string(source), code) {
			t.Errorf("this is not in %s:\n%s", name, code)
		}
	}
}
