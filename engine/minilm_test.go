package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/tokenizer"
)

const miniLM = "real/all-MiniLM-L6-v2-Q8_0.gguf"

// miniLMTexts returns the ids of the reference's texts.
func miniLMTexts(t testing.TB) [][]int32 {
	t.Helper()
	var texts []struct {
		Text string
		IDs  []int32
	}
	if err := json.Unmarshal(testdata.Read(t, "real/minilm.json"), &texts); err != nil {
		t.Fatal(err)
	}
	m := open(t, miniLM, Options{})
	var all [][]int32
	for _, text := range texts {
		ids, err := m.tok.Encode(text.Text, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true})
		if err != nil || !slices.Equal(ids, text.IDs) {
			t.Errorf("%q: %v, want %v (%v)", text.Text, ids, text.IDs, err)
		}
		all = append(all, text.IDs)
	}
	return all
}

// cosines compares vectors of length 1 with references: the least cosine, and
// the one in the middle.
func cosines(got [][]float32, want []float32) (worst, median float64) {
	var all []float64
	for i, v := range got {
		var dot float64
		for j, x := range v {
			dot += float64(x) * float64(want[i*len(v)+j])
		}
		all = append(all, dot)
	}
	slices.Sort(all)
	return all[0], all[len(all)/2]
}

// TestMiniLM holds a trained encoder, quantized to 8 bits, against what it
// gives in float64 as its maker runs it.
func TestMiniLM(t *testing.T) {
	m := open(t, miniLM, Options{})
	want := testdata.Floats(t, testdata.Read(t, "real/minilm.f32"))
	texts := miniLMTexts(t)
	got, err := m.Embed(t.Context(), texts, EmbedOptions{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	worst, median := cosines(got, want)
	if !(worst >= 0.9990 && median >= 0.9997) {
		t.Errorf("cosine %.8f at worst, %.8f in the median; want 0.9990 and 0.9997; llama.cpp has 0.9983 and 0.9996", worst, median)
	}
	t.Logf("cosine %.8f at worst, %.6f in the median", worst, median)
	exact := open(t, miniLM, Options{FloatActivations: true})
	if got, err = exact.Embed(t.Context(), texts, EmbedOptions{Normalize: true}); err != nil {
		t.Fatal(err)
	}
	worst, median = cosines(got, want)
	t.Logf("with float32 activations %.6f at worst, %.6f in the median", worst, median)
}

func BenchmarkMiniLM(b *testing.B) {
	m := open(b, miniLM, Options{Threads: 1})
	var texts [][]int32
	tokens := 0
	for i := range 60 {
		text := make([]int32, 46)
		for j := range text {
			text[j] = int32(1000 + 37*i + 101*j)
		}
		texts = append(texts, text)
		tokens += len(text)
	}
	for _, n := range []int{1, len(texts)} {
		b.Run(fmt.Sprint(n, "-at-a-time"), func(b *testing.B) {
			for b.Loop() {
				for i := 0; i < len(texts); i += n {
					if _, err := m.Embed(b.Context(), texts[i:i+n], EmbedOptions{Normalize: true}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.N*tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
