package tests

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/licenses"
	"github.com/normswap/normswap/internal/testdata"
)

// TestNotice: infer prints the license of every module that is linked on any
// system, in the version that is linked, and of none that is not.
func TestNotice(t *testing.T) {
	if got := works(t, "version", "--licenses"); got != licenses.Notice {
		t.Errorf("infer version --licenses prints %.100q...", got)
	}
	linked := map[string]bool{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/infer")
		cmd.Dir, cmd.Env = testdata.Root(), append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH=amd64")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if m := strings.TrimSpace(line); m != "" {
				linked[m] = true
			}
		}
	}
	if len(linked) < 10 {
		t.Fatalf("%d modules are linked", len(linked))
	}
	for _, m := range regexp.MustCompile(`(?m)^(\S+ v\S+)  +\S`).FindAllStringSubmatch(licenses.Notice, -1) {
		if !linked[m[1]] {
			t.Errorf("internal/licenses/NOTICE has %s, which is not linked: go generate ./internal/licenses", m[1])
		}
		delete(linked, m[1])
	}
	for m := range linked {
		t.Errorf("internal/licenses/NOTICE lacks %s: go generate ./internal/licenses", m)
	}
}

// TestProvenance: a file PROVENANCE.md says where the files beside it come
// from, and is of exactly these files; and a license lies beside it.
func TestProvenance(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([0-9a-f]{64})` \\|")
	var seen []string
	err := filepath.WalkDir(testdata.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "build" || strings.HasPrefix(d.Name(), ".")) && path != testdata.Root() {
			return fs.SkipDir
		}
		if d.Name() != "PROVENANCE.md" {
			return nil
		}
		dir, err := filepath.Rel(testdata.Root(), filepath.Dir(path))
		if err != nil {
			return err
		}
		seen = append(seen, filepath.ToSlash(dir))
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rows := row.FindAllStringSubmatch(string(text), -1)
		for _, r := range rows {
			b, err := os.ReadFile(filepath.Join(filepath.Dir(path), r[1]))
			if err != nil {
				return err
			}
			if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != r[2] {
				t.Errorf("%s/%s is not the file that PROVENANCE.md is of: its SHA-256 is %x", dir, r[1], sum)
			}
		}
		if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "LICENSE*")); err != nil || len(found) == 0 || len(rows) == 0 {
			t.Errorf("%s: %d licenses, %d files in PROVENANCE.md", dir, len(found), len(rows))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"examples/onefile", "internal/tales", "tests/testdata/trained"} {
		if !slices.Contains(seen, dir) {
			t.Errorf("%s has no PROVENANCE.md", dir)
		}
	}
}
