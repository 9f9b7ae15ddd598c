package gguf

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// models are the files that tests read, of every sort.
var models = []string{
	"archs/gpt2.gguf", "archs/llama.gguf", "archs/phimoe.gguf", "archs/mpt-full.gguf",
	"trained/stories260K-F32.gguf", "trained/nano-sort-85k-F32.gguf",
	"quantized/gpt2-256-Q4_K_M.gguf", "quantized/gpt2-256-IQ3_S.gguf", "quantized/gpt2-256-MXFP4_MOE.gguf",
	"vocab/ggml-vocab-llama-bpe.gguf", "vocab/ggml-vocab-phi-3.gguf",
}

func TestRoundTrip(t *testing.T) {
	for _, name := range models {
		t.Run(name, func(t *testing.T) {
			want := testdata.Read(t, name)
			f, err := Open(testdata.Path(t, name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var got bytes.Buffer
			if err := Write(&got, f); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%d bytes were written as %d different ones", len(want), got.Len())
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"vocab/ggml-vocab-llama-bpe.gguf", "archs/gpt2.gguf"} {
		b.Run(filepath.Base(name), func(b *testing.B) {
			path := testdata.Path(b, name)
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			b.ReportAllocs()
			for b.Loop() {
				f, err := Open(path)
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}
