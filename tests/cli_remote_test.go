package tests

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

// What infer inspect says of a file is the same where the file is behind HTTP.
func TestInspectURL(t *testing.T) {
	path := testdata.Path(t, stories)
	mux := http.NewServeMux()
	mux.HandleFunc("/model.gguf", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		http.ServeContent(w, r, "model.gguf", time.Time{}, f)
	})
	mux.HandleFunc("/whole", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("GGUF")) })
	mux.HandleFunc("/text", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "cli_remote_test.go") })
	server := httptest.NewServer(mux)
	defer server.Close()
	got, want := inferJSON[map[string]any](t, "inspect", server.URL+"/model.gguf", "--json"), inferJSON[map[string]any](t, "inspect", path, "--json")
	delete(got, "path")
	delete(want, "path")
	compareJSON(t, "inspect", got, want)
	if m, _ := got["memory"].(map[string]any); m["weights"] != got["tensor_bytes"] || m["cache"] == 0.0 {
		t.Errorf("memory %v", got["memory"])
	}
	infer(t, "inspect", server.URL+"/model.gguf", "--norms").fails(t, 2, "--norms", "header")
	for url, words := range map[string]string{"/none": "404", "/whole": "no parts of files", "/text": "not a GGUF file"} {
		infer(t, "inspect", server.URL+url).fails(t, 1, server.URL+url, words)
	}
}
