package tests

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// vocabularies are files whose vocabularies the models get: SentencePiece, BPE,
// characters.
var vocabularies = []string{"tests/testdata/trained/stories260K-F32.gguf", "tokenizer/testdata/bpe.gguf", "tests/testdata/trained/nano-sort-85k-F32.gguf"}

// decoders are the architectures that can be run.
var decoders = slices.DeleteFunc(arch.All(), func(s *arch.Spec) bool { return s.Form == arch.PostNorm })

// sound returns a model of the smallest size that has every part: number n of
// those of all architectures, without the optional tensors and with them.
var sound = func() func(t testing.TB, n int) *gguf.File {
	var mu sync.Mutex
	made := map[int]*gguf.File{}
	return func(t testing.TB, n int) *gguf.File {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if made[n] != nil {
			return made[n]
		}
		spec := decoders[n/2%len(decoders)]
		from, err := gguf.Open(filepath.Join(testdata.Root(), vocabularies[n%len(vocabularies)]))
		if err != nil {
			t.Fatal(err)
		}
		shape := toy.Tiny(spec.Name, func(string) bool { return n%2 == 1 })
		shape.FFN, shape.Context, shape.Vocab = 64, 64, 0
		for _, kv := range from.Meta.All() {
			if strings.HasPrefix(kv.Key, "tokenizer.") {
				shape.Keys = append(shape.Keys, kv)
			}
			if v, ok := kv.Value.([]string); ok && kv.Key == "tokenizer.ggml.tokens" {
				shape.Vocab = len(v)
			}
		}
		made[n] = toytest.Parse(t, toytest.Bytes(t, shape, []string{"F32", "F16", "Q8_0", "Q4_0"}[n%4], 1))
		return made[n]
	}
}()

// FuzzModel changes models of every architecture: keys and their types, the
// vocabulary, the template, names, shapes, types, places and values of tensors,
// the parts of a file. Whatever comes out is opened, tokenized with, run and
// folded, or refused in one line; and takes memory in proportion.
//
// An input is the number of a sound model, then choices.
func FuzzModel(f *testing.F) {
	for n := range decoders { // some with, some without optional tensors
		f.Add(uint8(2*n+n%2), []byte{byte(37 * n)})
	}
	f.Fuzz(tryModel)
}

// TestModels tries some inputs of FuzzModel, from one change to many.
func TestModels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range testdata.Rungs(100, 2000) {
		b := make([]byte, 2+rng.IntN(2+i%100))
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		tryModel(t, uint8(i), b)
		if t.Failed() {
			t.Fatalf("model %d, choices %x", uint8(i), b)
		}
	}
}

func tryModel(t *testing.T, n uint8, b []byte) {
	hung := time.AfterFunc(hang, func() { panic(fmt.Sprintf("model %d, choices %x: no end after %v", n, b, hang)) })
	defer hung.Stop()
	c := &choices{b}
	m := newMutant(sound(t, int(n)))
	how := c.of(256)
	for len(c.b) > 0 {
		pick(c, mutations)(m, c)
	}
	size := 0
	files := m.files()
	for _, b := range files {
		size += len(b)
	}
	before := allocated()
	useFiles(t, files, how)
	// A model is decoded, its cache and scratch are bounded by its own size,
	// and folding and writing it take it a few times more.
	if taken, most := allocated()-before, uint64(128<<20+256*size); taken > most {
		t.Errorf("a model of %d bytes took %d MiB in all", size, taken>>20)
	}
}

// allocated returns the bytes that were ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func useFiles(t *testing.T, files [][]byte, how int) {
	var f *gguf.File
	var err error
	if len(files) == 1 {
		f, err = gguf.Parse(files[0])
	} else {
		dir := t.TempDir()
		for i, b := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", i+1, len(files))), b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		f, err = gguf.Open(filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", 1+how%len(files), len(files))))
	}
	if err != nil {
		oneLine(t, err)
		return
	}
	defer f.Close()
	ids := useVocabulary(t, f)
	useFold(t, f, how)
	useModel(t, f, ids, how) // and closes the file
}

// oneLine checks that an error can be shown as it is, on one line.
func oneLine(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if len(text) > 2000 || strings.Contains(text, "runtime error") || strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == unicode.ReplacementChar
	}) {
		t.Errorf("the error is not one line of plain text: %.2000q", text)
	}
}

// useVocabulary tokenizes and returns ids.
func useVocabulary(t *testing.T, f *gguf.File) (ids []int32) {
	tok, err := tokenizer.New(&f.Meta)
	if err != nil {
		oneLine(t, err)
		return nil
	}
	tmpl, err := chat.Of(tok)
	if err == nil {
		turns := chat.NewConversation(chat.Message{Role: "system", Content: "s"}, chat.Message{Role: "user", Content: "<s>u"})
		_, err = tmpl.Render(context.Background(), turns, chat.Options{Tokenizer: tok})
	}
	if err != nil {
		oneLine(t, err)
	}
	for _, text := range []string{"CAB", "Once upon a time, \u00e9\u8a9e <s></s> 123\n\n  x", "\xff\xfea\x00<|im_start|>"} {
		for _, o := range []tokenizer.EncodeOptions{{AddSpecial: true}, {ParseSpecial: true}} {
			got, err := tok.Encode(text, o)
			if err != nil {
				oneLine(t, err)
				continue
			}
			for _, id := range got {
				if id < 0 || int(id) >= tok.Len() {
					t.Fatalf("token %d of a vocabulary of %d", id, tok.Len())
				}
				tok.Piece(id)
			}
			tok.Decode(got)
			ids = got
		}
	}
	return ids
}

// useModel loads and runs the model. What it computes is finite, or an error.
func useModel(t *testing.T, f *gguf.File, ids []int32, how int) {
	ctx := context.Background()
	o := engine.Options{Threads: 1, FloatActivations: how&1 != 0, FoldGain: how&2 != 0}
	o.Norm = []engine.NormMode{engine.Native, engine.RMSFolded, engine.RMSNaive, engine.Centered}[how>>2&3]
	m, err := engine.Load(ctx, f, o)
	if err != nil {
		oneLine(t, err)
		return
	}
	defer m.Close()
	kv := []quant.Type{quant.F32, quant.F16}[how>>4&1]
	s, err := m.NewSession(engine.SessionOptions{Context: min(16, m.Context()), KV: kv, CheckFinite: how&32 != 0})
	if err != nil {
		oneLine(t, err)
		return
	}
	if ids = ids[:min(len(ids), s.Max()-1)]; len(ids) == 0 {
		ids = []int32{0}
	}
	logits, err := s.Eval(ctx, ids)
	if err != nil {
		oneLine(t, err)
		return
	}
	if len(logits) != m.Vocab() {
		t.Fatalf("%d logits of %d tokens", len(logits), m.Vocab())
	}
	for i, v := range logits {
		if math.IsNaN(float64(v)) || v > math.MaxFloat32 {
			t.Fatalf("logit %d is %v, and there is no error", i, v)
		}
	}
	for id, err := range s.Generate(ctx, ids[:1], engine.GenerateOptions{Max: 3}) {
		if err != nil {
			oneLine(t, err)
			break
		}
		if id < 0 || int(id) >= m.Vocab() {
			t.Fatalf("token %d of %d", id, m.Vocab())
		}
	}
}

// useFold folds the model. What is written loads again.
func useFold(t *testing.T, f *gguf.File, how int) {
	ctx := context.Background()
	m, err := arch.Load(f)
	if err != nil {
		oneLine(t, err)
		return
	}
	o := fold.WriteOptions{Gain: how&1 != 0}
	if how&2 != 0 {
		o.Export = "auto"
	}
	if how&4 != 0 {
		o.Strategy = fold.Requant
	}
	out, err := fold.Prepare(ctx, f, m, o)
	var b strings.Builder
	if err == nil {
		err = out.Write(ctx, &b)
	}
	if err != nil {
		if !errors.Is(err, fold.ErrNothing) {
			oneLine(t, err)
		}
		return
	}
	again, err := gguf.Parse([]byte(b.String()))
	if err == nil {
		_, err = arch.Load(again)
	}
	if err != nil {
		t.Errorf("what the fold wrote does not load: %v", err)
	}
}
