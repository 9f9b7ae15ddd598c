package tests

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

// strangerVersion is a version of this module that the test publishes.
const strangerVersion = "v0.1.0"

// publish makes a module proxy of a folder, with this module in the given version.
func publish(t *testing.T, version string) (proxy string) {
	t.Helper()
	proxy = t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Unix(0, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(testdata.Root(), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(dir, "list"), []byte(version+"\n"))
	save(t, filepath.Join(dir, version+".info"), info)
	save(t, filepath.Join(dir, version+".mod"), mod)
	f, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	root := os.DirFS(testdata.Root())
	err = fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := fs.Stat(root, path+"/go.mod")
			if path != "." && (err == nil || strings.HasPrefix(d.Name(), ".")) || slices.Contains(unpublished, d.Name()) {
				return fs.SkipDir // a module of its own, or what no build needs
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: module + "@" + version + "/" + path, Method: zip.Store})
		if err != nil {
			return err
		}
		r, err := root.Open(path)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return proxy
}

// unpublished are folders that no build needs, most of them of what was fetched.
var unpublished = []string{"testdata", "dist", "build", "models", "bench-models", "node_modules"}

// A stranger's module requires this one in a version, from a module proxy, and uses
// it; and go install makes the command, which knows its version.
func TestStranger(t *testing.T) {
	if testing.Short() {
		t.Skip("builds everything anew")
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	// What this module requires comes from what is there already.
	proxies := "file://" + filepath.ToSlash(publish(t, strangerVersion)) + ",file://" + filepath.ToSlash(strings.TrimSpace(string(cache))) + "/cache/download,off"
	dir, bin := t.TempDir(), t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY="+proxies, "GOSUMDB=off", "GOFLAGS=-modcacherw", "GOWORK=off", "GOMODCACHE="+filepath.Join(dir, "cache"),
			"GOBIN="+bin, "CGO_ENABLED=0", "GOTOOLCHAIN=local")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	save(t, filepath.Join(dir, "go.mod"), []byte("module example.org/stranger\n\ngo 1.26.0\n"))
	save(t, filepath.Join(dir, "main.go"), []byte(`package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/normswap/normswap/engine"
)

func main() {
	m, err := engine.Open(context.Background(), os.Args[1], engine.Options{Norm: engine.RMSNaive})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Println(m.Arch.Layers, "layers")
}
`))
	run("go", "get", module+"/engine@"+strangerVersion)
	run("go", "build", "-o", "stranger", ".")
	if out := run(filepath.Join(dir, "stranger"), testdata.Path(t, "archs/gpt2.gguf")); !strings.HasSuffix(out, " layers\n") {
		t.Errorf("it prints %q", out)
	}
	run("go", "install", module+"/cmd/infer@"+strangerVersion)
	if out := run(filepath.Join(bin, "infer"), "version"); !strings.HasPrefix(out, fmt.Sprintf("infer %s, ", strangerVersion)) {
		t.Errorf("infer version prints %q", out)
	}
	run(filepath.Join(bin, "infer"), "-n", "4", "--seed", "1")
}
