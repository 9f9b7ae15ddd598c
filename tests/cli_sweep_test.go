package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestSweepParts: parts of a sweep merge to what one run prints, a part whose run was ended
// is named, and a file of --part is not measured again and not taken for another run's.
func TestSweepParts(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"sweep", "--ctx", "32", "--chunks", "2", "--norm", "prms:25"}
	run := func(more ...string) string { return works(t, append(flags, more...)...) }
	var parts []string
	for _, shard := range []string{"0/2", "1/2"} {
		path := filepath.Join(dir, shard[:1]+".json")
		if err := os.WriteFile(path, []byte(run("--shard", shard)), 0o666); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, path)
	}
	var whole, merged map[string]any
	for text, to := range map[string]*map[string]any{run("--json"): &whole, works(t, append([]string{"merge", "--json"}, parts...)...): &merged} {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"shards", "of"} {
		delete(whole, key)
		delete(merged, key)
	}
	if !reflect.DeepEqual(whole, merged) {
		t.Errorf("merged:\n%v\nwhole:\n%v", merged, whole)
	}
	if text := works(t, append([]string{"merge"}, parts...)...); text != run() {
		t.Errorf("merge prints\n%s", text)
	}
	infer(t, "merge", parts[1]).fails(t, 1, "0/2")

	state := filepath.Join(dir, "state")
	run("--shard", "0/2", "--part", state)
	kept, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	var half map[string]any
	if err := json.Unmarshal(kept, &half); err != nil {
		t.Fatal(err)
	}
	half["rows"] = half["rows"].([]any)[:3]
	if kept, err = json.Marshal(half); err == nil {
		err = os.WriteFile(state, kept, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	infer(t, "merge", state, parts[1]).fails(t, 1, "3 of 17 rows")
	infer(t, append(flags, "--part", state)...).fails(t, 1, "number of shards")
	run("--shard", "0/2", "--part", state)
	if again, err := os.ReadFile(state); err != nil || string(again) != run("--shard", "0/2") {
		t.Errorf("resumed: %v\n%s", err, again)
	}
}

// TestSweepPlots: a plot of each format, whole.
func TestSweepPlots(t *testing.T) {
	for format, head := range map[string]string{".svg": "<?xml", ".pdf": "%PDF-", ".png": "\x89PNG"} {
		path := filepath.Join(t.TempDir(), "depth"+format)
		works(t, "sweep", "--ctx", "32", "--chunks", "1", "--sites", "ln1", "--plot", path)
		if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte(head)) || len(b) < 2000 {
			t.Errorf("%s: %d bytes, %v", format, len(b), err)
		}
	}
	infer(t, "sweep", "--plot", "depth.gif").fails(t, 2, ".pdf")
	for _, command := range []string{"sweep", "geometry", "dimensions", "calibrate"} {
		infer(t, command, "--ctx", "100000").fails(t, 1, "--ctx 100000", "trained for")
	}
}
