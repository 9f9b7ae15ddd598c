package tokenizer

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
)

// meta is a small SentencePiece vocabulary with changes.
func spmMeta(t testing.TB, changes map[string]any) *gguf.Meta {
	return metaOf(t, map[string]any{
		keyModel:  "llama",
		keyTokens: []string{"<unk>", "<s>", "</s>", "<0x41>", "▁", "a", "▁a"},
		keyScores: []float32{0, 0, 0, 0, -1, -2, -3},
		keyTypes:  []int32{2, 3, 3, 6, 1, 1, 1},
	}, changes)
}

// bpeMeta is a small byte-level BPE vocabulary with changes.
func bpeMeta(t testing.TB, changes map[string]any) *gguf.Meta {
	return metaOf(t, map[string]any{
		keyModel:  "gpt2",
		keyPre:    "gpt-2",
		keyTokens: []string{"a", "b", "ab", "Ġ", "<|end|>"},
		keyTypes:  []int32{1, 1, 1, 1, 3},
		keyMerges: []string{"a b"},
	}, changes)
}

// ugmMeta is a small unigram vocabulary with changes.
func ugmMeta(t testing.TB, changes map[string]any) *gguf.Meta {
	return metaOf(t, map[string]any{
		keyModel:   "t5",
		keyTokens:  []string{"<unk>", "<s>", "</s>", "b", "▁", "a", "▁a"},
		keyScores:  []float32{0, 0, 0, -4, -1, -2, -2},
		keyTypes:   []int32{2, 3, 3, 1, 1, 1, 1},
		keyUnknown: uint32(0),
		keyEOS:     uint32(2),
		keyPrefix:  true,
	}, changes)
}

// wpmMeta is a small WordPiece vocabulary with changes.
func wpmMeta(t testing.TB, changes map[string]any) *gguf.Meta {
	return metaOf(t, map[string]any{
		keyModel:   "bert",
		keyTokens:  []string{"[UNK]", "[CLS]", "[SEP]", "▁a", "b", "▁b", "▁."},
		keyTypes:   []int32{3, 3, 3, 1, 1, 1, 1},
		keyUnknown: uint32(0),
		keyBOS:     uint32(1),
		keySEP:     uint32(2),
	}, changes)
}

// metaOf sets the keys; a nil value leaves the key out.
func metaOf(t testing.TB, all ...map[string]any) *gguf.Meta {
	t.Helper()
	m := new(gguf.Meta)
	for _, set := range all {
		for key, v := range set {
			if v == nil {
				m.Delete(key)
			} else if err := m.Set(key, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

// TestHostileErrors demands one line that names the key, and the index where
// there is one.
func TestHostileErrors(t *testing.T) {
	spm, bpe, ugm := spmMeta, bpeMeta, ugmMeta
	for _, c := range []struct {
		name string
		meta *gguf.Meta
		want string
	}{
		{"another model", spm(t, map[string]any{keyModel: "nonesuch"}), `tokenizer.ggml.model is "nonesuch", which is unknown`},
		{"a model that is not implemented", spm(t, map[string]any{keyModel: "rwkv"}), `tokenizer.ggml.model is "rwkv": this tokenizer is not implemented`},
		{"no vocabulary", spm(t, map[string]any{keyModel: "none"}), `tokenizer.ggml.model is "none": the model has no vocabulary`},
		{"bert without its tokens", spm(t, map[string]any{keyModel: "bert"}), "must be in the vocabulary of 7 tokens"},
		{"a map of 3 bytes", ugm(t, map[string]any{keyCharsMap: []uint8{1, 2, 3}}), "tokenizer.ggml.precompiled_charsmap has 3 bytes"},
		{"a map that is too short", ugm(t, map[string]any{keyCharsMap: []int8{8, 0, 0, 0, 0, 0, 0}}), "tokenizer.ggml.precompiled_charsmap is no map"},
		{"a map of numbers", ugm(t, map[string]any{keyCharsMap: []float32{1}}), "tokenizer.ggml.precompiled_charsmap is []float32, want bytes"},
		{"model is a number", spm(t, map[string]any{keyModel: uint32(3)}), keyModel},
		{"model of a megabyte", spm(t, map[string]any{keyModel: strings.Repeat("m", 1<<20)}), keyModel},
		{"no tokens", spm(t, map[string]any{keyTokens: nil}), keyTokens},
		{"empty tokens", spm(t, map[string]any{keyTokens: []string{}}), "tokenizer.ggml.tokens is empty"},
		{"tokens are numbers", spm(t, map[string]any{keyTokens: []int32{1}}), keyTokens},
		{"scores shorter", spm(t, map[string]any{keyScores: []float32{1}}), "tokenizer.ggml.scores has 1 entries for 7 tokens"},
		{"scores longer", spm(t, map[string]any{keyScores: make([]float32, 8)}), "tokenizer.ggml.scores has 8 entries for 7 tokens"},
		{"scores are strings", spm(t, map[string]any{keyScores: make([]string, 7)}), keyScores},
		{"score NaN", spm(t, map[string]any{keyScores: []float32{0, 0, 0, 0, 0, float32(math.NaN()), 0}}), "tokenizer.ggml.scores[5] is NaN"},
		{"types shorter", spm(t, map[string]any{keyTypes: []int32{2}}), "tokenizer.ggml.token_type has 1 entries for 7 tokens"},
		{"types longer", bpe(t, map[string]any{keyTypes: make([]int32, 6)}), "tokenizer.ggml.token_type has 6 entries for 5 tokens"},
		{"types are floats", spm(t, map[string]any{keyTypes: make([]float32, 7)}), keyTypes},
		{"byte ZZ", spm(t, map[string]any{keyTokens: []string{"<unk>", "<s>", "</s>", "<0xZZ>", "▁", "a", "▁a"}}), `tokenizer.ggml.tokens[3]: the byte token "<0xZZ>"`},
		{"byte -1", spm(t, map[string]any{keyTokens: []string{"<unk>", "<s>", "</s>", "<0x-1>", "▁", "a", "▁a"}}), `tokenizer.ggml.tokens[3]: the byte token "<0x-1>"`},
		{"byte empty", spm(t, map[string]any{keyTokens: []string{"<unk>", "<s>", "</s>", "", "▁", "a", "▁a"}}), `tokenizer.ggml.tokens[3]: the byte token ""`},
		{"no merges", bpe(t, map[string]any{keyMerges: nil}), keyMerges},
		{"merges are numbers", bpe(t, map[string]any{keyMerges: []int32{1}}), keyMerges},
		{"bos is a string", bpe(t, map[string]any{keyBOS: "a"}), keyBOS},
		{"add_bos is a string", bpe(t, map[string]any{keyAddBOS: "yes"}), keyAddBOS},
		{"template is a number", bpe(t, map[string]any{KeyChatTemplate: uint8(1)}), KeyChatTemplate},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.meta)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "tokenizer: ") ||
				strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
				t.Errorf("error %.400v, want one that says %s", err, c.want)
			}
		})
	}
	if _, err := New(new(gguf.Meta)); !errors.Is(err, gguf.ErrMissing) || !strings.Contains(err.Error(), keyModel) {
		t.Errorf("without a tokenizer: %v", err)
	}
}

// TestHostileWarnings demands that what can be repaired is, and is reported.
func TestHostileWarnings(t *testing.T) {
	for _, c := range []struct {
		name  string
		meta  *gguf.Meta
		want  string
		check func(tok *Tokenizer) bool
	}{
		{"bos beyond", spmMeta(t, map[string]any{keyBOS: uint32(7)}), "tokenizer.ggml.bos_token_id is 7, outside the vocabulary of 7 tokens",
			func(tok *Tokenizer) bool { id, ok := tok.BOS(); return ok && id == 1 }},
		{"eos 2^32-1", bpeMeta(t, map[string]any{keyEOS: uint32(math.MaxUint32)}), "tokenizer.ggml.eos_token_id is 4294967295",
			func(tok *Tokenizer) bool { _, ok := tok.EOS(); return !ok }},
		{"eot negative", bpeMeta(t, map[string]any{"tokenizer.ggml.eot_token_id": int32(-5)}), "tokenizer.ggml.eot_token_id is -5",
			func(tok *Tokenizer) bool { return tok.IsEOG(4) }},
		{"add_bos without bos", bpeMeta(t, map[string]any{keyAddBOS: true}), "tokenizer.ggml.add_bos_token is true but the model has no BOS",
			func(tok *Tokenizer) bool { return !tok.AddBOS() }},
		{"add_eos without eos", bpeMeta(t, map[string]any{keyAddEOS: true}), "tokenizer.ggml.add_eos_token is true but the model has no EOS",
			func(tok *Tokenizer) bool { return !tok.AddEOS() }},
		{"no scores", spmMeta(t, map[string]any{keyScores: nil}), "tokenizer.ggml.scores is absent", nil},
		{"unknown pre", bpeMeta(t, map[string]any{keyPre: "nonesuch"}), `tokenizer.ggml.pre is "nonesuch", which is unknown; the default`,
			func(tok *Tokenizer) bool { return tok.Pre() == "default" }},
		{"no pre", bpeMeta(t, map[string]any{keyPre: nil}), "tokenizer.ggml.pre is absent; the default",
			func(tok *Tokenizer) bool { return tok.Pre() == "default" }},
		{"merge without space", bpeMeta(t, map[string]any{keyMerges: []string{"ab", "a b"}}),
			`tokenizer.ggml.merges[0]: "ab" is not two pieces with a space between; the entry is left out`,
			func(tok *Tokenizer) bool {
				ids, err := tok.Encode("ab", EncodeOptions{})
				return err == nil && len(ids) == 1
			}},
		{"merges of one piece", bpeMeta(t, map[string]any{keyMerges: []string{"a b", "a ", "", " a"}}),
			`tokenizer.ggml.merges[1]: "a " is not two pieces with a space between; 3 such entries are left out`,
			func(tok *Tokenizer) bool {
				ids, err := tok.Encode("ab", EncodeOptions{})
				return err == nil && len(ids) == 1
			}},
		{"long piece", ugmMeta(t, map[string]any{keyTokens: []string{"<unk>", "<s>", "</s>", strings.Repeat("a", 2000), "▁", "a", "▁a"}}),
			"tokenizer.ggml.tokens[3] is a token of 2000 bytes", nil},
		{"long special", bpeMeta(t, map[string]any{keyTokens: []string{"a", "b", "ab", "Ġ", strings.Repeat("<", 2000)}}),
			"tokenizer.ggml.tokens[4] is a special token of 2000 bytes", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok := mustNew(t, c.meta)
			if w := tok.Warnings(); len(w) != 1 || !strings.Contains(w[0], c.want) {
				t.Errorf("warnings %q, want one that says %s", w, c.want)
			}
			if c.check != nil && !c.check(tok) {
				t.Error("not repaired as it should be")
			}
		})
	}
}

// TestHostileDefined holds what odd vocabularies do.
func TestHostileDefined(t *testing.T) {
	long := strings.Repeat("a", 16<<20)
	for _, c := range []struct {
		name string
		meta *gguf.Meta
		text string
		want []int32
	}{
		{"steps that are no tokens", bpeMeta(t, map[string]any{keyTokens: []string{"a", "b", "abab", "Ġ", "<|end|>"}, keyMerges: []string{"a b", "ab ab"}}), "ababab", []int32{2, 0, 1}},
		{"merges of unknown characters", bpeMeta(t, map[string]any{keyMerges: []string{"Ċ Ċ", "x y", "xy z", "a b"}}), "ab a", []int32{2, 3, 0}},
		{"a merge twice", bpeMeta(t, map[string]any{keyMerges: []string{"a b", "b a", "a b"}}), "aba", []int32{2, 0}},
		{"duplicates", bpeMeta(t, map[string]any{keyTokens: []string{"a", "b", "ab", "a", "ab"}}), "aab", []int32{0, 2}},
		{"empty tokens", spmMeta(t, map[string]any{keyTokens: []string{"<unk>", "", "", "<0x41>", "▁", "a", ""}}), "aA", []int32{4, 5, 3}},
		{"unknown bytes", spmMeta(t, nil), "Az", []int32{4, 3, 0}},
		{"control text is text", spmMeta(t, map[string]any{keyTokens: []string{"<unk>", "aa", "</s>", "<0x41>", "▁", "a", "▁a"}}), "aa", []int32{6, 5}},
		{"types absent", spmMeta(t, map[string]any{keyTypes: nil}), "aA", []int32{6, 3}},
		{"types unheard of", spmMeta(t, map[string]any{keyTypes: []int32{2, 3, 3, 6, 0, 77, -4}}), "a", []int32{6}},
		{"infinite scores", spmMeta(t, map[string]any{keyScores: []float32{0, 0, 0, 0, float32(math.Inf(-1)), float32(math.Inf(1)), float32(math.Inf(1))}}), "a", []int32{6}},
		{"a huge token", bpeMeta(t, map[string]any{keyTokens: []string{"a", "b", "ab", long, long + "<"}}), "ab", []int32{2}},
		{"one token", bpeMeta(t, map[string]any{keyTokens: []string{"a"}, keyTypes: nil, keyMerges: []string{"a a"}}), "aaa", []int32{0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok := mustNew(t, c.meta)
			got, err := tok.Encode(c.text, EncodeOptions{})
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q: %v (%v), want %v", c.text, got, err, c.want)
			}
		})
	}
}

func TestPieceOutside(t *testing.T) {
	tok := mustNew(t, bpeMeta(t, nil))
	ids := []int32{-1, 0, 5, math.MaxInt32, math.MinInt32, 1}
	if got := tok.Decode(ids); got != "ab" {
		t.Errorf("Decode(%v) = %q", ids, got)
	}
	if tok.Piece(-1)+tok.Piece(5) != "" || tok.IsSpecial(-1) || tok.IsSpecial(5) || tok.IsEOG(-1) || !tok.IsSpecial(4) {
		t.Error("ids outside the vocabulary stand for something")
	}
}

// FuzzLoad reads vocabularies from any bytes, and if they load, uses them.
func FuzzLoad(f *testing.F) {
	for _, m := range []*gguf.Meta{bpeMeta(f, nil), spmMeta(f, nil), spmMeta(f, map[string]any{keyTypes: nil}),
		ugmMeta(f, nil), wpmMeta(f, nil), bpeMeta(f, map[string]any{keyPre: "gemma4"})} {
		var b bytes.Buffer
		if err := gguf.Write(&b, &gguf.File{Version: 3, Alignment: gguf.DefaultAlignment, Meta: *m}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), "ab <s> A")
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		file, err := gguf.Parse(b)
		if err != nil {
			return
		}
		tok, err := Options{LlamaCpp: len(text)%2 == 1}.New(&file.Meta)
		if err != nil {
			return
		}
		if ids, err := tok.Encode(text, EncodeOptions{AddSpecial: true, ParseSpecial: true}); err == nil {
			tok.Decode(ids)
		}
	})
}
