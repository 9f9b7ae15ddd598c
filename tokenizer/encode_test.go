package tokenizer

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"golang.org/x/text/unicode/norm"
)

// neoxMeta is a vocabulary that begins as GPT-NeoX-20B's does.
func neoxMeta(t testing.TB, changes map[string]any) *gguf.Meta {
	tokens := make([]string, 50001)
	for i := range tokens {
		tokens[i] = strings.Repeat("x", 3) + string(rune(0x20000+i))
	}
	copy(tokens, []string{"<|endoftext|>", "<|padding|>", "!", "c", "a", "f", "e", "Ã", "©", "Ã©", "ca", "fe", "Ì", "ģ"})
	return metaOf(t, map[string]any{keyModel: "gpt2", keyTokens: tokens, keyMerges: []string{"Ã ©", "c a", "f e"}, keyUnknown: uint32(0)}, changes)
}

// TestNormalForm demands composed characters where the model was trained on
// them, and llama.cpp's ids on request.
func TestNormalForm(t *testing.T) {
	const composed, decomposed = "caf\u00e9", "cafe\u0301"
	for _, c := range []struct {
		name string
		meta *gguf.Meta
		nfc  bool
	}{
		{"gpt-neox without a pre-tokenizer", neoxMeta(t, nil), true},
		{"gpt-neox as gpt-2", neoxMeta(t, map[string]any{keyPre: "gpt-2"}), true},
		{"gpt-neox as olmo", neoxMeta(t, map[string]any{keyPre: "olmo"}), true},
		{"mpt", changed(t, "bpe.gguf", map[string]any{keyPre: "mpt"}, nil), true},
		{"qwen2", changed(t, "bpe.gguf", map[string]any{keyPre: "qwen2"}, nil), true},
		{"command-r", changed(t, "bpe.gguf", map[string]any{keyPre: "command-r"}, nil), true},
		{"gpt-2", changed(t, "bpe.gguf", map[string]any{keyPre: "gpt-2"}, nil), false},
		{"llama-bpe", changed(t, "bpe.gguf", map[string]any{keyPre: "llama-bpe"}, nil), false},
		{"SentencePiece", changed(t, "stories260K", nil, nil), false},
	} {
		for _, o := range []Options{{}, {LlamaCpp: true}} {
			tok := mustNewAs(t, o, c.meta)
			one, err1 := tok.Encode(composed, EncodeOptions{})
			two, err2 := tok.Encode(decomposed, EncodeOptions{})
			if err1 != nil || err2 != nil {
				t.Fatal(c.name, err1, err2)
			}
			if same := slices.Equal(one, two); same != (c.nfc && !o.LlamaCpp) {
				t.Errorf("%s, %+v: %q and %q", c.name, o, pieces(tok, one), pieces(tok, two))
			}
		}
	}
	if w := mustNew(t, neoxMeta(t, nil)).Warnings(); len(w) > 0 {
		t.Errorf("gpt-neox without a pre-tokenizer: %q", w)
	}
}

// TestComposed holds the composition of many marks against that of few.
func TestComposed(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	marks := []rune("\u0301\u0300\u0327\u0323\u0308\u0345\u05b0\u0f71 aeouA\u1100\u1161\u11a8\uac00\u0958\u00e9\u1e69\u2126\u0340\ufffd")
	for range 20000 {
		text := make([]rune, rng.IntN(8))
		for i := range text {
			text[i] = marks[rng.IntN(len(marks))]
		}
		if got, want := composedLong(string(text)), norm.NFC.String(string(text)); got != want {
			t.Fatalf("%+q: %+q, want %+q", string(text), got, want)
		}
	}
	many := strings.Repeat("\u0301", 100)
	if got := composed("a\u0327e" + many + "\xff" + graphemeJoiner); got != "a\u0327\u00e9"+many[2:]+"\xff"+graphemeJoiner {
		t.Errorf("%+q", got)
	}
}

// TestRealCases holds texts under real vocabularies.
func TestRealCases(t *testing.T) {
	for _, c := range []struct {
		vocab, text string
		want        []int32
		unknown     *UnknownBytesError
	}{
		{"gpt-neox", "nfc.txt", []int32{68, 2320, 860}, nil},
		{"gpt-neox", "nfd.txt", []int32{68, 2320, 860}, nil},
		{"falcon", "vt.txt", []int32{481, 1739, 33292, 1739, 193}, &UnknownBytesError{Count: 1, Offset: 8, Byte: 0x0b}},
	} {
		tok := mustNew(t, open(t, vocabPath(t, c.vocab)))
		checkUnknown(t, tok, string(testdata.Read(t, "cases/"+c.text)), c.want, c.unknown)
	}
}

// checkUnknown demands ids, and an *UnknownBytesError beside them if want has one.
func checkUnknown(t *testing.T, tok *Tokenizer, text string, want []int32, unknown *UnknownBytesError) {
	t.Helper()
	ids, err := tok.Encode(text, EncodeOptions{})
	if !slices.Equal(ids, want) {
		t.Errorf("%q: %v %q, want %v", text, ids, pieces(tok, ids), want)
	}
	var got *UnknownBytesError
	if errors.As(err, &got) != (unknown != nil) || got != nil && *got != *unknown || got == nil && err != nil {
		t.Errorf("%q: error %v, want %v", text, err, unknown)
	}
}

// TestUnknownBytes demands that bytes without a token are left out, counted,
// and named by their place in the text as it was given.
func TestUnknownBytes(t *testing.T) {
	bpe := mustNew(t, bpeMeta(t, nil))
	llamaCpp := mustNewAs(t, Options{LlamaCpp: true}, bpeMeta(t, nil))
	neox := mustNew(t, neoxMeta(t, nil))
	noUnknown := map[string]any{keyUnknown: int32(-1)}
	for _, c := range []struct {
		tok     *Tokenizer
		text    string
		want    []int32
		unknown *UnknownBytesError
	}{
		{bpe, "ab z ab", []int32{2, 3, 3, 2}, &UnknownBytesError{1, 3, 'z'}},
		{bpe, "zab\xffz<|end|>z", []int32{2}, &UnknownBytesError{4 + len("<|end|>"), 0, 'z'}}, // control text is text
		{bpe, "azb", []int32{2}, &UnknownBytesError{1, 1, 'z'}},
		{llamaCpp, "azb", []int32{0, 1}, &UnknownBytesError{1, 1, 'z'}},
		{neox, "e\u0301e\u0301zcafe\u0301", []int32{9, 9, 10, 5, 9}, &UnknownBytesError{1, 6, 'z'}},
		{mustNew(t, spmMeta(t, nil)), "a zz é a", []int32{6, 4, 0, 4, 0, 6}, nil},
		{mustNew(t, spmMeta(t, noUnknown)), "a zz a", []int32{6, 4, 6}, &UnknownBytesError{2, 2, 'z'}},
		{mustNew(t, ugmMeta(t, nil)), "a zz é a", []int32{6, 4, 0, 4, 0, 6}, nil},
		{mustNew(t, wpmMeta(t, nil)), "ab abz . zab", []int32{3, 4, 0, 6, 0}, nil},
	} {
		checkUnknown(t, c.tok, c.text, c.want, c.unknown)
	}
}

// TestSpecialOrder demands the leftmost of overlapping tokens, as Hugging
// Face's tokenizers take them, and the longest first for llama.cpp's ids.
func TestSpecialOrder(t *testing.T) {
	m := changed(t, "bpe.gguf", nil, [][2]any{{"<x", 4.}, {"xyz>", 4.}})
	for o, want := range map[Options][]string{{}: {"<x", "y", "z", ">"}, {LlamaCpp: true}: {"<", "xyz>"}} {
		tok := mustNewAs(t, o, m)
		ids, err := tok.Encode("<xyz>", EncodeOptions{})
		if got := pieces(tok, ids); err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v: %q (%v), want %q", o, got, err, want)
		}
	}
}

// TestPiecesAsTrained holds where WordPiece and unigram are not llama.cpp's.
func TestPiecesAsTrained(t *testing.T) {
	wpm := wpmMeta(t, map[string]any{keyTokens: []string{"[UNK]", "[CLS]", "[SEP]", "▁a", "b", "▁b", "▁.", "▁\u1112", "\u1161", "\u11ab", "▁i", "\u093f"},
		keyTypes: []int32{3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}})
	cased := wpm.Clone()
	if err := cased.Set(keyStrip, false); err != nil {
		t.Fatal(err)
	}
	long := "a" + strings.Repeat("b", 100)
	for _, c := range []struct {
		meta           *gguf.Meta
		text           string
		trained, llama []int32
	}{
		{wpm, "\ud55c", []int32{7, 8, 9}, []int32{7}},                                  // a Hangul syllable
		{wpm, "a\u093fb", []int32{3, 11, 4}, []int32{3, 4}},                            // a spacing mark
		{wpm, "A\u0301B a\u00e1.", []int32{3, 4, 0, 6}, []int32{3, 4, 0, 6}},           // accents
		{wpm, "a\vb", []int32{3, 4}, []int32{3, 5}},                                    // a control character
		{wpm, "a▁a", []int32{0}, []int32{3, 3}},                                        // U+2581
		{wpm, long[:100], append([]int32{3}, slices.Repeat([]int32{4}, 99)...), nil},   // 100 characters
		{wpm, long, []int32{0}, append([]int32{3}, slices.Repeat([]int32{4}, 100)...)}, // 101
		{wpm, "\xc0\xafa", []int32{3}, []int32{0, 3}},                                  // an overlong solidus
		{wpm, "\u0130", []int32{10}, []int32{10}},                                      // I with a dot
		{&cased, "\u0130", []int32{0}, []int32{10}},                                    // two characters, of which one is no piece
		{ugmMeta(t, map[string]any{keyPrefix: false, keySqueeze: true}), " a a ", []int32{5, 6}, []int32{6, 6}},
		{ugmMeta(t, map[string]any{keyTokens: []string{"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "a", "▁a"}, keyTypes: []int32{2, 3, 3, 6, 6, 1, 1}}),
			"a\u00e9\u00e8", []int32{6, 3, 4, 0}, []int32{6, 0}},
	} {
		if c.llama == nil {
			c.llama = c.trained
		}
		for o, want := range map[Options][]int32{{}: c.trained, {LlamaCpp: true}: c.llama} {
			tok := mustNewAs(t, o, c.meta)
			if ids, err := tok.Encode(c.text, EncodeOptions{}); err != nil || !slices.Equal(ids, want) {
				t.Errorf("%+v: %q: %v (%v), want %v", o, c.text, ids, err, want)
			}
		}
	}
}

// TestStrip demands that <mask> takes the white space before it where the
// model's tokenizer does so.
func TestStrip(t *testing.T) {
	for _, c := range []struct {
		pre  string
		o    Options
		want string
	}{
		{"gpt-2", Options{}, "a  <mask> a"},
		{"roberta-bpe", Options{}, "a<mask> a"},
		{"jina-v2-code", Options{LlamaCpp: true}, "a<mask> a"},
		{"roberta-bpe", Options{LlamaCpp: true}, "a  <mask> a"},
	} {
		tok := mustNewAs(t, c.o, changed(t, "bpe.gguf", map[string]any{keyPre: c.pre}, [][2]any{{"<mask>", 3.}}))
		ids, err := tok.Encode("a  <mask> a", EncodeOptions{ParseSpecial: true})
		if got := strings.Join(pieces(tok, ids), ""); err != nil || got != c.want {
			t.Errorf("%s %+v: %q (%v), want %q", c.pre, c.o, got, err, c.want)
		}
	}
}

// TestBeginAndEnd holds what AddSpecial adds.
func TestBeginAndEnd(t *testing.T) {
	spm := mustNew(t, spmMeta(t, map[string]any{keyAddEOS: true}))
	wpm := mustNew(t, wpmMeta(t, nil))
	add := EncodeOptions{AddSpecial: true}
	for _, c := range []struct {
		tok     *Tokenizer
		text    string
		opt     EncodeOptions
		want    []int32
		doubled bool
	}{
		{spm, "a", add, []int32{1, 6, 2}, false},
		{spm, "a", EncodeOptions{AddSpecial: true, Continued: true}, []int32{1, 6}, false},
		{spm, "<s>a", EncodeOptions{AddSpecial: true, ParseSpecial: true}, []int32{1, 1, 6, 2}, true},
		{spm, "<s><s>a", EncodeOptions{ParseSpecial: true}, []int32{1, 1, 6}, true},
		{wpm, "a", add, []int32{1, 3, 2}, false},
		{wpm, "", add, []int32{1, 2}, false},
		{wpm, "a", EncodeOptions{AddSpecial: true, Continued: true}, []int32{1, 3}, false},
	} {
		ids, err := c.tok.Encode(c.text, c.opt)
		if err != nil || !slices.Equal(ids, c.want) || c.tok.DoubledBOS(ids) != c.doubled {
			t.Errorf("%q %+v: %v (%v), doubled %v", c.text, c.opt, ids, err, c.tok.DoubledBOS(ids))
		}
	}
	if sep, ok := wpm.SEP(); !ok || sep != 2 || !wpm.AddSEP() || spm.AddSEP() {
		t.Error("SEP of WordPiece")
	}
}

// TestEncodeCancelled demands that a long text, and a long word, end with the
// context.
func TestEncodeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tok := range vocabularies(t) {
		for _, text := range []string{strings.Repeat("a b<tool>\n", 1<<17), strings.Repeat("a", 1<<20)} {
			if _, err := tok.EncodeContext(ctx, text, EncodeOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v for %.10q", name, err, text)
			}
		}
	}
	for _, m := range []*gguf.Meta{ugmMeta(t, nil), wpmMeta(t, nil)} {
		tok := mustNew(t, m)
		if _, err := tok.EncodeContext(ctx, strings.Repeat("ab ba\u00e9.", 1<<17), EncodeOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", tok.Model(), err)
		}
	}
}

// TestSpecialPrefixes demands that special tokens that share prefixes cost no
// more than a few times the rest of the work.
func TestSpecialPrefixes(t *testing.T) {
	var special [][2]any
	for n := 2; n <= 1000; n++ {
		special = append(special, [2]any{strings.Repeat("<", n) + ">", 3.})
	}
	tok := mustNew(t, changed(t, "stories260K", nil, special))
	steps := func(text string) int {
		n, count := int32(0), 0
		m := tok.special
		for i := len(text) - 1; i >= 0; i-- {
			for m.trie.child(n, text[i]) == 0 && n != 0 {
				n = m.fail[n]
				count++
			}
			n = m.trie.child(n, text[i])
			count++
		}
		return count
	}
	for _, text := range []string{strings.Repeat("<", 400_000), strings.Repeat(">"+strings.Repeat("<", 900), 444), strings.Repeat("<<<<>", 80_000)} {
		if n := steps(text); n > 2*len(text) {
			t.Errorf("%d steps for %d bytes of %.20q", n, len(text), text)
		}
	}
}

// FuzzEncode demands of every tokenizer, whatever the text, ids within the
// vocabulary, a place in the text for what has no token, and an end: 16 KiB take
// some milliseconds, and in time that grows with their square, some minutes.
func FuzzEncode(f *testing.F) {
	for _, text := range readReference(f).Texts {
		f.Add(text, uint8(0))
	}
	names := slices.Sorted(maps.Keys(preTokenizers))
	for i := range names {
		for _, text := range []string{" ", "a", "A1", "e\u0301", " \n"} {
			f.Add(text, uint8(i))
		}
	}
	var toks [256]*Tokenizer // made when they are needed
	make := func(t *testing.T, which uint8) *Tokenizer {
		o := Options{LlamaCpp: which >= 128}
		switch i := int(which % 128); i {
		case 125:
			return mustNewAs(t, o, ugmMeta(t, nil))
		case 126:
			return mustNewAs(t, o, wpmMeta(t, nil))
		case 127:
			return mustNewAs(t, o, changed(t, "stories260K", nil, nil))
		default:
			pre := names[i%len(names)]
			base := "bpe.gguf"
			if preTokenizers[pre].plain {
				base = "plain.gguf"
			}
			return mustNewAs(t, o, changed(t, base, map[string]any{keyPre: pre}, nil))
		}
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		if text == "" {
			return
		}
		if toks[which] == nil {
			toks[which] = make(t, which)
		}
		tok := toks[which]
		long := strings.Repeat(text, 1+(16<<10)/len(text))
		start := time.Now()
		ids, err := tok.Encode(long, EncodeOptions{AddSpecial: true, ParseSpecial: true})
		if unknown := (*UnknownBytesError)(nil); err != nil && (!errors.As(err, &unknown) || unknown.Offset >= len(long)) {
			t.Fatal(err)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Len() {
				t.Fatalf("id %d of %d", id, tok.Len())
			}
		}
		if d := time.Since(start); d > time.Minute {
			t.Errorf("%s: %v for %d bytes", tok.Pre(), d, len(long))
		}
	})
}
