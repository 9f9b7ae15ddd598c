package main

import (
	"math"
	"slices"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// The reference logits in tests/testdata are what stock llama.cpp computes with
// its AVX2 kernels, bit for bit. With the kernels that it chooses for this CPU
// the sums run in another order; on quantised files a rounding of an activation
// may then fall the other way.
func TestReferences(t *testing.T) {
	for _, folder := range []struct {
		name  string
		bound float64
	}{{"archs", 1e-8}, {"quantized", 1e-4}} {
		for _, fixture := range testdata.Fixtures(t, folder.name) {
			t.Run(name(fixture), func(t *testing.T) {
				model, want := testdata.Path(t, fixture), testdata.Logits(t, fixture)
				got, _, err := peerLogits(model, "haswell", testdata.Tokens())
				if err != nil {
					t.Fatal(err)
				}
				// Some were computed with wider kernels.
				same := slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
				if !same && !(testdata.NMSE(got, want) <= 1e-11) {
					t.Errorf("llama.cpp's AVX2 logits differ from the reference file: NMSE %.2g", testdata.NMSE(got, want))
				}
				best, _, err := peerLogits(model, "", testdata.Tokens())
				if err != nil {
					t.Fatal(err)
				}
				e := testdata.NMSE(best, want)
				t.Logf("NMSE of the best kernels for this CPU: %.2g", e)
				if !(e <= folder.bound) {
					t.Errorf("NMSE %.2g with the best kernels for this CPU, want at most %.0g", e, folder.bound)
				}
			})
		}
	}
}
