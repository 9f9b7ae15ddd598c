package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/testdata"
)

// encoderIndex is what index.json beside the fixtures of encoders says.
type encoderIndex struct {
	IDs, Second, Long []int32
	Fixtures          map[string]struct {
		Arch  string
		Files map[string]struct {
			Tolerance float64
			NMSE      struct{ Tanh, Table, Erf float64 } `json:"nmse_float64"`
		}
		TextIDs []int32 `json:"text_ids"`
	}
}

// encoderFixtures calls f with each fixture: those of the repository and, where
// there is more data, all.
func encoderFixtures(t *testing.T, f func(t *testing.T, folder, name string, x *encoderIndex)) {
	t.Helper()
	folders := []string{filepath.Join(testdata.Root(), "tests", "testdata", "encoders")}
	if all := filepath.Join(testdata.Data(), "encoders"); isFolder(all) {
		folders = append(folders, all)
	}
	for _, folder := range folders {
		b, err := os.ReadFile(filepath.Join(folder, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		var x encoderIndex
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		for name := range x.Fixtures {
			t.Run(filepath.Base(filepath.Dir(folder))+"/"+name, func(t *testing.T) { f(t, folder, name, &x) })
		}
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// inputs returns the sequences and the pooling that a reference is of.
func (x *encoderIndex) inputs(m *Model, file, fixture string) ([][]int32, arch.Pooling) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(file, fixture+"."), ".f32"), ".")
	sequences := map[string][][]int32{"two": {x.IDs, x.Second}, "long": {x.Long}, "text": {x.Fixtures[fixture].TextIDs}}[parts[0]]
	if sequences == nil {
		sequences = [][]int32{x.IDs}
	}
	pooling := map[string]arch.Pooling{"tokens": arch.PoolNone, "mean": arch.PoolMean, "cls": arch.PoolCLS, "last": arch.PoolLast,
		"rank": arch.PoolRank, "pooled": m.Arch.Pooling}[parts[len(parts)-1]]
	return sequences, pooling
}

// embedAll embeds sequences and returns the vectors one after the other.
func embedAll(t *testing.T, m *Model, pooling arch.Pooling, sequences ...[]int32) []float32 {
	t.Helper()
	vectors, err := m.Embed(t.Context(), sequences, EmbedOptions{Pooling: &pooling})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(vectors...)
}

// TestEncoders holds the hidden vectors, embeddings and scores of every encoder
// against llama.cpp's, whose GELU is a table in half precision.
func TestEncoders(t *testing.T) {
	encoderFixtures(t, func(t *testing.T, folder, name string, x *encoderIndex) {
		for _, tanh := range []bool{false, true} {
			m, err := Open(t.Context(), filepath.Join(folder, name+".gguf"), Options{TanhGELU: tanh})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			for file, want := range x.Fixtures[name].Files {
				sequences, pooling := x.inputs(m, file, name)
				b, err := os.ReadFile(filepath.Join(folder, file))
				if err != nil {
					t.Fatal(err)
				}
				e := testdata.NMSE(embedAll(t, m, pooling, sequences...), testdata.Floats(t, b))
				exact := want.NMSE.Erf
				if tanh {
					exact = want.NMSE.Tanh
				}
				if !(e <= want.Tolerance && e <= max(2*exact, 1e-10)) {
					t.Errorf("%s, tanh GELU %v: NMSE %.2g, want <= %.2g; in float64 it is %.2g", file, tanh, e, want.Tolerance, exact)
				}
			}
		}
	})
}

// TestPacked: what a sequence gives does not depend on what is beside it, nor on
// the number of threads, to the last bit.
func TestPacked(t *testing.T) {
	var names []string
	encoderFixtures(t, func(t *testing.T, folder, name string, x *encoderIndex) {
		names = append(names, filepath.Join(folder, name+".gguf"))
	})
	for _, decoder := range []string{"archs/llama-moe.gguf", "archs/gpt2.gguf", "quantized/llama-256-Q4_0.gguf", "quantized/gpt2-256-Q4_K_M.gguf"} {
		names = append(names, testdata.Path(t, decoder))
	}
	for _, name := range names {
		var sequences [][]int32
		for i, n := range []int{1, 16, 2, 40, 3, 4, 33, 5, 64, 1, 60, 64, 50, 17} {
			tokens := make([]int32, n)
			for j := range tokens {
				tokens[j] = int32((3 + 7*j + 11*i) % 128)
			}
			sequences = append(sequences, tokens)
		}
		var first []float32
		for _, threads := range []int{1, 3} {
			m, err := Open(t.Context(), name, Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			for _, pooling := range []arch.Pooling{arch.PoolNone, arch.PoolMean} {
				packed := embedAll(t, m, pooling, sequences...)
				var alone []float32
				for _, s := range sequences {
					alone = append(alone, embedAll(t, m, pooling, s)...)
				}
				if !slices.Equal(packed, alone) {
					t.Errorf("%s, %d threads, pooling %s: packed sequences give other vectors than each alone", name, threads, pooling)
				}
				if pooling != arch.PoolNone {
				} else if first == nil {
					first = packed
				} else if !slices.Equal(first, packed) {
					t.Errorf("%s: %d threads give other vectors than 1", name, threads)
				}
			}
			m.Close()
		}
	}
}

// TestDecoderEmbeds: the hidden vectors of a decoder are those from which its
// logits are made.
func TestDecoderEmbeds(t *testing.T) {
	m := open(t, "archs/llama.gguf", Options{})
	tokens := testdata.Tokens()
	hidden := embedAll(t, m, arch.PoolNone, tokens)
	logits := make([]float32, len(tokens)*m.Vocab())
	row := make([]float32, m.Arch.Dim)
	for i := range logits {
		m.head.w.Row(row, i%m.Vocab())
		for j, v := range row {
			logits[i] += v * hidden[i/m.Vocab()*m.Arch.Dim+j]
		}
	}
	if e := testdata.NMSE(logits, testdata.Logits(t, "archs/llama.gguf")); !(e <= 1e-10) {
		t.Errorf("NMSE %.2g", e)
	}
	last := embedAll(t, m, arch.PoolLast, tokens)
	if !slices.Equal(last, hidden[len(hidden)-m.Arch.Dim:]) {
		t.Error("the last pooling is not the last token's vector")
	}
}

// TestEmbedRefusals: what cannot be embedded is named.
func TestEmbedRefusals(t *testing.T) {
	m := open(t, "encoders/bert.gguf", Options{})
	long := make([]int32, 65)
	rank := arch.PoolRank
	for _, c := range []struct {
		want      string
		sequences [][]int32
		o         EmbedOptions
	}{
		{"sequence 1 has 65 tokens, the context is 64", [][]int32{{1}, long}, EmbedOptions{}},
		{"sequence 0 has no tokens", [][]int32{{}}, EmbedOptions{}},
		{"token 128 of sequence 0 is not in the vocabulary of 128", [][]int32{{128}}, EmbedOptions{}},
		{"token -1 ", [][]int32{{-1}}, EmbedOptions{}},
		{"no classification head", [][]int32{{1}}, EmbedOptions{Pooling: &rank}},
	} {
		_, err := m.Embed(t.Context(), c.sequences, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	cut, err := m.Embed(t.Context(), [][]int32{long}, EmbedOptions{Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := embedAll(t, m, m.Arch.Pooling, long[:64]); !slices.Equal(cut[0], want) {
		t.Error("a truncated sequence is not its beginning")
	}
	if _, err := m.NewSession(SessionOptions{}); !errors.Is(err, ErrEncoder) || !strings.Contains(err.Error(), "bert") {
		t.Errorf("a session of an encoder: %v", err)
	}
	unit, err := m.Embed(t.Context(), [][]int32{{1, 2, 3}}, EmbedOptions{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, v := range unit[0] {
		sum += float64(v) * float64(v)
	}
	if math.Abs(sum-1) > 1e-6 {
		t.Errorf("a normalized vector has the length %v", math.Sqrt(sum))
	}
	if got := fmt.Sprint(m.Arch.Scores()); got != "0" {
		t.Errorf("bert has %s scores", got)
	}
}
