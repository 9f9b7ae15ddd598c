package main

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fixtures returns the models of tests/testdata/FOLDER that have logits beside
// them.
func fixtures(t *testing.T, folder string) []string {
	t.Helper()
	logits, err := filepath.Glob(filepath.Join(root(), "tests", "testdata", folder, "*.logits.f32"))
	if err != nil || len(logits) == 0 {
		t.Fatalf("no models with logits in tests/testdata/%s (%v)", folder, err)
	}
	for i, l := range logits {
		logits[i] = strings.TrimSuffix(l, ".logits.f32") + ".gguf"
	}
	return logits
}

// fixtureTokens are the tokens whose logits lie beside the fixtures: 3, 8, ..., 78.
func fixtureTokens() []int32 {
	tokens := make([]int32, 16)
	for i := range tokens {
		tokens[i] = int32(3 + 5*i)
	}
	return tokens
}

// The reference logits in tests/testdata are what stock llama.cpp computes with
// its AVX2 kernels, bit for bit. With the kernels that it chooses for this CPU
// the sums run in another order; on quantised files a rounding of an activation
// may then fall the other way.
func TestReferences(t *testing.T) {
	for _, folder := range []struct {
		name  string
		bound float64
	}{{"archs", 1e-8}, {"quantized", 1e-4}} {
		for _, model := range fixtures(t, folder.name) {
			t.Run(name(model), func(t *testing.T) {
				want, err := readFloats(strings.TrimSuffix(model, ".gguf") + ".logits.f32")
				if err != nil {
					t.Fatal(err)
				}
				got, _, err := peerLogits(model, "haswell", fixtureTokens())
				if err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					e, err := nmse(got, want)
					t.Errorf("llama.cpp's AVX2 logits differ from the reference file: NMSE %.2g, %v", e, err)
				}
				best, _, err := peerLogits(model, "", fixtureTokens())
				if err != nil {
					t.Fatal(err)
				}
				e, err := nmse(best, want)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("NMSE of the best kernels for this CPU: %.2g", e)
				if e > folder.bound {
					t.Errorf("NMSE %.2g with the best kernels for this CPU, want at most %.0g", e, folder.bound)
				}
			})
		}
	}
}
