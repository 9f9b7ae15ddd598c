package tokenizer

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// vocabularies are those in the repository, by what makes them differ.
func vocabularies(t testing.TB) map[string]*Tokenizer {
	toks := make(map[string]*Tokenizer)
	for _, pre := range []string{"default", "gpt-2", "llama-bpe", "qwen2", "falcon", "starcoder", "deepseek-llm", "deepseek-coder",
		"deepseek-v3", "bloom", "viking", "tekken", "gpt-4o", "seed-coder", "kimi-k2", "afmoe", "tiny_aya", "superbpe", "chameleon"} {
		toks["bpe "+pre] = mustNew(t, changed(t, "bpe.gguf", map[string]any{keyPre: pre}, nil))
	}
	toks["bpe plain"] = mustNew(t, changed(t, "plain.gguf", nil, nil))
	toks["spm"] = mustNew(t, changed(t, "stories260K", nil, nil))
	toks["spm without prefix"] = mustNew(t, changed(t, "stories260K", map[string]any{keyPrefix: false}, nil))
	toks["spm with special"] = mustNew(t, changed(t, "stories260K", nil, [][2]any{{"<|user|>", 4.}, {"ab", 4.}, {"<|end|>", 3.}}))
	return toks
}

// checkRoundTrip demands that Decode undoes Encode, byte by byte.
func checkRoundTrip(t *testing.T, name string, tok *Tokenizer, text string) {
	t.Helper()
	ids, err := tok.Encode(text, EncodeOptions{AddSpecial: true})
	if err != nil {
		t.Fatalf("%s: %q: %v", name, text, err)
	}
	want := text
	if tok.form.nfc {
		want = normalized(t, tok, text)
	}
	if tok.form.escape { // the one thing that SentencePiece cannot write
		want = strings.ReplaceAll(text, spmSpace, " ")
	}
	if got := tok.Decode(ids); got != want {
		t.Fatalf("%s: %q comes back as %q through %q", name, text, got, pieces(tok, ids))
	}
	for _, id := range ids {
		if id < 0 || int(id) >= tok.Len() {
			t.Fatalf("%s: %q: id %d of %d", name, text, id, tok.Len())
		}
	}
}

// normalized is the text with what stands between special tokens in the form
// that the model reads.
func normalized(t *testing.T, tok *Tokenizer, text string) string {
	t.Helper()
	specials, err := tok.specialIn(context.Background(), text, EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	at := 0
	for _, s := range specials {
		b.WriteString(tok.form.of(text[at:s.start]) + text[s.start:s.end])
		at = s.end
	}
	b.WriteString(tok.form.of(text[at:]))
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	texts := readReference(t).Texts
	for b := range 256 {
		texts = append(texts, string([]byte{byte(b)}), string([]byte{'a', byte(b), ' ', byte(b), byte(b)}))
	}
	for range 300 {
		texts = append(texts, randomText(rng, 40))
		raw := make([]byte, 40)
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		texts = append(texts, string(raw))
	}
	for name, tok := range vocabularies(t) {
		for _, text := range texts {
			checkRoundTrip(t, name, tok, text)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, text := range readReference(f).Texts {
		f.Add([]byte(text))
	}
	toks := vocabularies(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		for name, tok := range toks {
			checkRoundTrip(t, name, tok, string(text))
		}
	})
}

// checkDecoder demands that what the Decoder returns is valid UTF-8 at every
// step, that together it is the text, and that nothing complete is held back.
func checkDecoder(t *testing.T, tok *Tokenizer, ids []int32) {
	t.Helper()
	d := tok.NewDecoder()
	var all, raw strings.Builder
	for _, id := range ids {
		if !tok.IsSpecial(id) {
			raw.WriteString(tok.Piece(id))
		}
		text := d.Push(id)
		if !utf8.ValidString(text) {
			t.Fatalf("%v: token %d gives %q", ids, id, text)
		}
		all.WriteString(text)
		if held := toValid(raw.String())[all.Len():]; len(held) > 3*len("\ufffd") || strings.Trim(held, "\ufffd") != "" {
			t.Fatalf("%v: after token %d, %q is held back", ids, id, held)
		}
	}
	all.WriteString(d.Flush())
	if want := string([]rune(raw.String())); all.String() != want {
		t.Fatalf("%v: %q, want %q", ids, all.String(), want)
	}
	if again := d.Flush(); again != "" {
		t.Fatalf("%v: a second Flush gives %q", ids, again)
	}
}

func TestDecoder(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, tok := range vocabularies(t) {
		for range 300 {
			ids := make([]int32, 20)
			for i := range ids {
				ids[i] = rng.Int32N(256) // bytes in either kind of vocabulary
			}
			checkDecoder(t, tok, ids)
			text := randomText(rng, 20)
			ids, err := tok.Encode(text, EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkDecoder(t, tok, ids)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\xf0\x9f\x98\x80 \xe4\xb8"))
	f.Add([]byte{0xff, 0xf0, 0x9f, 0x20, 0x80})
	toks := vocabularies(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tok := range toks {
			ids := make([]int32, len(b))
			for i, c := range b {
				if ids[i] = tok.bytes[c]; i%5 == 4 {
					ids[i] = int32(c) * 4 // also outside the vocabulary
				}
			}
			checkDecoder(t, tok, ids)
		}
	})
}

// TestDecoderSpecial demands the names of control tokens only when asked.
func TestDecoderSpecial(t *testing.T) {
	tok := mustNew(t, changed(t, "bpe.gguf", nil, nil))
	ids, err := tok.Encode("a<|im_end|>b<tool>", EncodeOptions{ParseSpecial: true})
	if err != nil {
		t.Fatal(err)
	}
	for special, want := range map[bool]string{false: "ab<tool>", true: "a<|im_end|>b<tool>"} {
		d := tok.NewDecoder()
		d.Special = special
		got := ""
		for _, id := range ids {
			got += d.Push(id)
		}
		if got != want {
			t.Errorf("special %v: %q, want %q", special, got, want)
		}
	}
	if got := tok.Decode(ids); got != "ab<tool>" {
		t.Errorf("Decode gives %q", got)
	}
}

// TestDecoderAllocates nothing for tokens of whole characters.
func TestDecoderAllocates(t *testing.T) {
	tok := mustNew(t, changed(t, "stories260K", nil, nil))
	ids, err := tok.Encode("Once upon a time, there was a little girl.", EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := tok.NewDecoder()
	if n := testing.AllocsPerRun(100, func() {
		for _, id := range ids {
			d.Push(id)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d tokens", n, len(ids))
	}
}

// TestConcurrent encodes the same texts from many goroutines with one
// Tokenizer, whose cache they share.
func TestConcurrent(t *testing.T) {
	texts := readReference(t).Texts
	for name, tok := range vocabularies(t) {
		fresh := vocabularies(t)[name]
		var want [][]int32
		for _, text := range texts {
			ids, err := fresh.Encode(text, EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, ids)
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range texts {
					k := (i*7 + g*11) % len(texts)
					if ids, err := tok.Encode(texts[k], EncodeOptions{}); err != nil || !slices.Equal(ids, want[k]) {
						t.Errorf("%s: %q: %v, want %v (%v)", name, texts[k], ids, want[k], err)
					}
				}
			})
		}
		wg.Wait()
	}
}
