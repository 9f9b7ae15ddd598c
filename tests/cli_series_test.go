package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// A folder of checkpoints is a training run, by the numbers of its steps.
func TestSeriesOfFolders(t *testing.T) {
	run := filepath.Join(t.TempDir(), "tiny")
	for _, step := range []string{"step1000", "step0", "step16"} {
		if err := os.CopyFS(filepath.Join(run, step), os.DirFS(filepath.Join(testdata.Root(), "hf", "testdata", "gpt2"))); err != nil {
			t.Fatal(err)
		}
	}
	want := []int{0, 16, 1000}
	out := filepath.Join(t.TempDir(), "report")
	r := works(t, "geometry", run, "--tokens", "200", "--swap-tokens", "0", "-o", out, "--json")
	var results struct {
		Models []struct{ Step *int }
	}
	if err := json.Unmarshal([]byte(r), &results); err != nil {
		t.Fatal(err)
	}
	var steps []int
	for _, m := range results.Models {
		if m.Step != nil {
			steps = append(steps, *m.Step)
		}
	}
	if !slices.Equal(steps, want) {
		t.Errorf("geometry has the steps %d, want %d", steps, want)
	}
	if _, err := os.Stat(filepath.Join(out, "training_angle.svg")); err != nil {
		t.Error(err)
	}
	plot := filepath.Join(t.TempDir(), "steps.svg")
	var sweeps []struct {
		Step  int
		Model string
		Rows  []struct{ Group string }
	}
	if err := json.Unmarshal([]byte(works(t, "sweep", run, "--chunks", "2", "--ctx", "32", "--plot", plot, "--json")), &sweeps); err != nil {
		t.Fatal(err)
	}
	if len(sweeps) != 3 || sweeps[2].Step != 1000 || sweeps[2].Model != "tiny-step1000" || len(sweeps[0].Rows) < 5 {
		t.Errorf("sweep: %+v", sweeps)
	}
	if b, err := os.ReadFile(plot); err != nil || !bytes.Contains(b, []byte("training step")) {
		t.Errorf("the plot: %v, %d bytes", err, len(b))
	}
	infer(t, "sweep", run, "--shard", "0/2").fails(t, 2, "--shard")
}
