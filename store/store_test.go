package store

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hermetic gives the test stores of its own.
func hermetic(t *testing.T) (ollama, cache string) {
	t.Helper()
	ollama, cache = t.TempDir(), t.TempDir()
	t.Setenv("OLLAMA_MODELS", ollama)
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("HUGGINGFACE_HUB_CACHE", "")
	t.Setenv("HF_HOME", cache)
	return ollama, filepath.Join(cache, "hub")
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// addOllama puts a model into a store, and returns its blob.
func addOllama(t *testing.T, dir, at string, data []byte) string {
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:x","size":1},{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":%d}]}`, sum, len(data))
	write(t, filepath.Join(dir, "manifests", filepath.FromSlash(at)), []byte(manifest))
	blob := filepath.Join(dir, "blobs", "sha256-"+sum)
	write(t, blob, data)
	return blob
}

func TestOllama(t *testing.T) {
	dir, _ := hermetic(t)
	plain := addOllama(t, dir, "registry.ollama.ai/library/tiny/latest", []byte("GGUF one"))
	tagged := addOllama(t, dir, "registry.ollama.ai/me/tiny/1b-q4", []byte("GGUF two"))
	other := addOllama(t, dir, "hf.co/org/repo-GGUF/Q8_0", []byte("GGUF three"))
	for name, want := range map[string]string{
		"tiny": plain, "tiny:latest": plain, "library/tiny": plain, "registry.ollama.ai/library/tiny:latest": plain,
		"me/tiny:1b-q4": tagged, "hf.co/org/repo-GGUF:Q8_0": other,
	} {
		if got, err := Find(name); err != nil || got != want {
			t.Errorf("Find(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "tiny:7b", "../tiny", "a/b/c/d", "library/../tiny", "tiny:../x", "x\x00y"} {
		if got, err := Find(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%q) = %q, %v", name, got, err)
		}
	}
	var names []string
	for _, m := range List() {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); got != "hf.co/org/repo-GGUF:Q8_0 me/tiny:1b-q4 tiny:latest" {
		t.Errorf("List names %s", got)
	}
	write(t, plain, []byte("cut"))
	if _, err := Find("tiny"); err == nil || !strings.Contains(err.Error(), "has 3 bytes, want 8") {
		t.Errorf("a blob that is cut: %v", err)
	}
	os.Remove(plain)
	if _, err := Find("tiny"); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a blob that is missing: %v", err)
	}
}

func TestParseRef(t *testing.T) {
	for name, want := range map[string]Ref{
		"hf:org/repo":                 {"org/repo", "main", "", true},
		"org/repo":                    {"org/repo", "main", "", false},
		"hf:gpt2":                     {"gpt2", "main", "", true},
		"hf:org/repo@step1000":        {"org/repo", "step1000", "", true},
		"hf:org/repo@refs/pr/1:x.bin": {"org/repo", "refs/pr/1", "x.bin", true},
	} {
		if got, err := ParseRef(name); err != nil || got != want {
			t.Errorf("ParseRef(%q) = %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"gpt2", "hf:", "hf:a/b/c", "hf:../x", "hf:a/..", "hf:a/b:../c", "hf:a/b:/c", "hf:a/b@", "hf:a/b@../c", "hf:a b/c"} {
		if got, err := ParseRef(name); err == nil {
			t.Errorf("ParseRef(%q) = %+v", name, got)
		}
	}
}

const commit = "0123456789abcdef0123456789abcdef01234567"

// A hub is a server as Hugging Face's, with faults on demand.
type hub struct {
	files   map[string][]byte
	token   string
	cut     atomic.Int64 // answers with a file that end early
	noTree  bool
	noRange bool
	wrong   bool // the bytes of files are not those of their sums
	served  atomic.Int64
	paged   bool
}

func (h *hub) sums(name string) (kind, sum string) {
	data := h.files[name]
	if strings.HasSuffix(name, ".json") {
		return "git", fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data)))
	}
	return "lfs", fmt.Sprintf("%x", sha256.Sum256(data))
}

func (h *hub) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if h.token != "" && req.Header.Get("Authorization") != "Bearer "+h.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch p := req.URL.Path; {
	case p == "/api/models/org/repo/revision/main":
		var siblings []map[string]string
		for name := range h.files {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": siblings})
	case p == "/api/models/org/repo/tree/"+commit && !h.noTree:
		all := []map[string]any{{"type": "directory", "path": "onnx", "oid": commit}}
		for name, data := range h.files {
			kind, sum := h.sums(name)
			e := map[string]any{"type": "file", "path": name, "oid": sum, "size": len(data)}
			if kind == "lfs" {
				e["oid"], e["lfs"] = commit, map[string]any{"oid": sum, "size": len(data)}
			}
			all = append(all, e)
		}
		if h.paged && req.URL.Query().Get("cursor") == "" {
			w.Header().Set("Link", `<`+p+`?recursive=true&cursor=x>; rel="next"`)
			all = all[:1]
		}
		json.NewEncoder(w).Encode(all)
	case strings.HasPrefix(p, "/org/repo/resolve/"+commit+"/"):
		name := strings.TrimPrefix(p, "/org/repo/resolve/"+commit+"/")
		data, ok := h.files[name]
		if !ok {
			http.NotFound(w, req)
			return
		}
		if h.wrong {
			data = bytes.Repeat([]byte{7}, len(data))
		}
		if h.noRange {
			req.Header.Del("Range")
		}
		_, sum := h.sums(name)
		w.Header().Set("ETag", `"`+sum+`"`)
		if req.Method == http.MethodGet {
			if name == "model.safetensors" && h.cut.Add(-1) >= 0 {
				w = &cutter{w, len(data) / 16}
			}
			w = &meter{w, &h.served}
		}
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(data))
	default:
		http.NotFound(w, req)
	}
}

// A cutter breaks the connection off after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.ResponseWriter.Write(p[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

type meter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.ResponseWriter.Write(p)
	m.n.Add(int64(n))
	return n, err
}

func random(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// start serves a repository with a folder of transformers and files in GGUF.
func start(t *testing.T, h *hub) *Hub {
	t.Helper()
	h.files = map[string][]byte{
		"config.json": []byte(`{}`), "tokenizer.json": []byte(`{"a": 1}`), "model.safetensors": random(300_000), "pytorch_model.bin": random(1000),
		"onnx/model.onnx": random(1000), "1_Pooling/config.json": []byte(`{"b": 1}`), "empty.json": {},
		"a-Q4_0.gguf": random(5000), "a-Q8_0-00001-of-00002.gguf": random(2000), "a-Q8_0-00002-of-00002.gguf": random(3000),
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &Hub{Endpoint: server.URL, Token: h.token, Client: server.Client(), Wait: time.Millisecond}
}

func ref(t *testing.T, name string) Ref {
	t.Helper()
	r, err := ParseRef(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPull(t *testing.T) {
	for name, h := range map[string]*hub{
		"plain": {}, "token": {token: "secret"}, "no tree": {noTree: true}, "no ranges": {noRange: true}, "pages": {paged: true},
	} {
		t.Run(name, func(t *testing.T) {
			hermetic(t)
			client := start(t, h)
			h.cut.Store(2)
			var last, total int64
			path, err := client.Pull(t.Context(), ref(t, "hf:org/repo"), func(done, of int64) { last, total = done, of })
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range h.files {
				got, err := os.ReadFile(filepath.Join(path, filepath.FromSlash(name)))
				want := !strings.HasSuffix(name, ".gguf") && name != "pytorch_model.bin" && !strings.HasPrefix(name, "onnx")
				if want != (err == nil) || want && !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes, %v; want it: %v", name, len(got), err, want)
				}
			}
			if last != total || total < 300_000 {
				t.Errorf("progress ends at %d of %d", last, total)
			}
			if found, err := Find("org/repo"); err != nil || found != path {
				t.Errorf("Find = %q, %v, want %q", found, err, path)
			}
			served := h.served.Load()
			if again, err := client.Pull(t.Context(), ref(t, "hf:org/repo"), nil); err != nil || again != path || h.served.Load() != served {
				t.Errorf("again: %q, %v, %d bytes", again, err, h.served.Load()-served)
			}
			for file, want := range map[string]string{"Q4": "a-Q4_0.gguf", "a-Q4_0.gguf": "a-Q4_0.gguf", "q8_0": "a-Q8_0-00001-of-00002.gguf"} {
				path, err := client.Pull(t.Context(), ref(t, "hf:org/repo:"+file), nil)
				if err != nil || filepath.Base(path) != want {
					t.Errorf("%s: %q, %v", file, path, err)
				}
				if found, err := Find("hf:org/repo:" + file); err != nil || found != path {
					t.Errorf("Find %s = %q, %v", file, found, err)
				}
			}
			if _, err := os.Stat(filepath.Join(path, "a-Q8_0-00002-of-00002.gguf")); err != nil {
				t.Error("the second part of the set is missing")
			}
			if _, err := client.Pull(t.Context(), ref(t, "hf:org/repo:Q"), nil); err == nil || !strings.Contains(err.Error(), "stands for 2 files") {
				t.Errorf("an ambiguous name: %v", err)
			}
			if all := List(); len(all) != 3 || all[0].Name != "hf:org/repo" || all[2].Bytes != 5000 {
				t.Errorf("List = %+v", all)
			}
		})
	}
}

// What was broken off goes on where it was, and is absent until it is whole.
func TestPullGoesOn(t *testing.T) {
	hermetic(t)
	h := &hub{}
	client := start(t, h)
	h.cut.Store(1 << 30)
	_, err := client.Pull(t.Context(), ref(t, "hf:org/repo"), nil)
	if err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Fatalf("cut again and again: %v", err)
	}
	if _, err := Find("hf:org/repo"); !errors.Is(err, ErrNotFound) {
		t.Errorf("half of it is found: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.cut.Store(0)
	if _, err := client.Pull(ctx, ref(t, "hf:org/repo:Q4"), func(done, _ int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if _, err := Find("hf:org/repo"); !errors.Is(err, ErrNotFound) {
		t.Errorf("half of it is found: %v", err)
	}
	before := h.served.Load()
	if _, err := client.Pull(t.Context(), ref(t, "hf:org/repo"), nil); err != nil {
		t.Fatal(err)
	}
	if n := h.served.Load() - before; n > 250_000 {
		t.Errorf("%d bytes were fetched, though a part of them was there", n)
	}
}

func TestPullRefuses(t *testing.T) {
	hermetic(t)
	h := &hub{wrong: true}
	client := start(t, h)
	if _, err := client.Pull(t.Context(), ref(t, "hf:org/repo:Q4"), nil); err == nil || !strings.Contains(err.Error(), "its sum is") {
		t.Errorf("wrong bytes: %v", err)
	}
	if _, err := Find("hf:org/repo:Q4"); !errors.Is(err, ErrNotFound) {
		t.Errorf("wrong bytes are found: %v", err)
	}
	if _, err := client.Pull(t.Context(), ref(t, "hf:org/none"), nil); err == nil || !strings.Contains(err.Error(), "there is no such repository") {
		t.Errorf("no repository: %v", err)
	}
	h.token = "secret"
	if _, err := client.Pull(t.Context(), ref(t, "hf:org/repo"), nil); err == nil || !strings.Contains(err.Error(), "HF_TOKEN") {
		t.Errorf("no token: %v", err)
	}
	h.token, h.wrong = "", false
	h.files["../out.json"] = []byte("x")
	if _, err := client.Pull(t.Context(), ref(t, "hf:org/repo"), nil); err == nil || !strings.Contains(err.Error(), "cannot be") {
		t.Errorf("a file outside: %v", err)
	}
}
