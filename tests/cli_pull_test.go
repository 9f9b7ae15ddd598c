package tests

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// serveHub serves the files of a folder as Hugging Face's server does.
func serveHub(t *testing.T, dir string) *httptest.Server {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var tree []map[string]any
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lfs := map[string]any{"oid": fmt.Sprintf("%x", sha256.Sum256(b)), "size": len(b)}
		tree = append(tree, map[string]any{"type": "file", "path": e.Name(), "oid": commit, "size": len(b), "lfs": lfs})
	}
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
	}
	mux := http.NewServeMux()
	mux.Handle("/api/models/org/tiny/revision/main", answer(map[string]any{"sha": commit}))
	mux.Handle("/api/models/org/tiny/tree/"+commit, answer(tree))
	mux.Handle("/org/tiny/resolve/"+commit+"/", http.StripPrefix("/org/tiny/resolve/"+commit, http.FileServer(http.Dir(dir))))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// A model that infer pull fetched is listed, and runs by its name.
func TestPullAndRunByName(t *testing.T) {
	source := filepath.Join(testdata.Root(), "hf", "testdata", "gpt2")
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("OLLAMA_MODELS", t.TempDir())
	t.Setenv("HF_ENDPOINT", serveHub(t, source).URL)
	infer(t, "inspect", "hf:org/tiny").fails(t, 1, "infer pull hf:org/tiny")
	path := strings.TrimSpace(works(t, "pull", "hf:org/tiny"))
	if list := works(t, "list"); !strings.Contains(list, "hf:org/tiny") {
		t.Errorf("list: %s", list)
	}
	for _, name := range []string{"hf:org/tiny", "org/tiny", path} {
		if got, want := works(t, "inspect", name, "--json"), works(t, "inspect", source, "--json"); len(got) < 100 || len(want) < 100 {
			t.Errorf("inspect %s: %s", name, got)
		}
		works(t, "logits", name, "--tokens", "3,8,13", "-o", filepath.Join(t.TempDir(), "logits"))
	}
	works(t, "convert", "org/tiny", "-o", filepath.Join(t.TempDir(), "tiny.gguf"))
	works(t, "fold", "org/tiny", "--format", "safetensors", "-o", filepath.Join(t.TempDir(), "folded"))
	infer(t, "pull", "hf:org/none").fails(t, 1, "no such repository")
	infer(t, "pull", "tiny").fails(t, 2, "hf:ORG/REPO")
}

// A model in Ollama's store runs by its name there.
func TestOllamaName(t *testing.T) {
	b, err := os.ReadFile(testdata.Path(t, "archs/gpt2-tied.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("OLLAMA_MODELS", dir)
	t.Setenv("HF_HOME", t.TempDir())
	sum := fmt.Sprintf("%x", sha256.Sum256(b))
	manifest := fmt.Sprintf(`{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":%d}]}`, sum, len(b))
	for path, data := range map[string][]byte{
		"manifests/registry.ollama.ai/library/tiny/1b": []byte(manifest), "blobs/sha256-" + sum: b,
	} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	works(t, "inspect", "tiny:1b")
	if list := works(t, "list", "--json"); !strings.Contains(list, `"tiny:1b"`) {
		t.Errorf("list: %s", list)
	}
	infer(t, "inspect", "tiny").fails(t, 1, "no file tiny")
}
