package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// hfTokenizer is what a tokenizer.json has that a GGUF file can hold.
type hfTokenizer struct {
	Model struct {
		Type   string
		Vocab  json.RawMessage
		Merges []json.RawMessage
		UnkID  int `json:"unk_id"`
	}
	Normalizer struct {
		Map         string `json:"precompiled_charsmap"`
		Lowercase   *bool
		Normalizers []struct {
			Map string `json:"precompiled_charsmap"`
		}
	}
	Added []struct {
		ID      int
		Content string
		Special bool
		LStrip  bool
		RStrip  bool
		Single  bool `json:"single_word"`
	} `json:"added_tokens"`
}

// meta is the metadata that llama.cpp's converter makes of it.
func (h *hfTokenizer) meta(t *testing.T, set map[string]any) *gguf.Meta {
	t.Helper()
	byID := map[int]string{}
	scores := map[int]float32{}
	if h.Model.Type == "Unigram" {
		var vocab [][2]any
		unmarshal(t, h.Model.Vocab, &vocab)
		for id, v := range vocab {
			byID[id], scores[id] = v[0].(string), float32(v[1].(float64))
		}
	} else {
		var vocab map[string]int
		unmarshal(t, h.Model.Vocab, &vocab)
		for token, id := range vocab {
			byID[id] = token
		}
	}
	special := map[int]int32{}
	for _, a := range h.Added {
		byID[a.ID] = a.Content
		special[a.ID] = int32(typeUserDefined)
		if a.Special {
			special[a.ID] = int32(typeControl)
		}
	}
	size := slices.Max(slices.Collect(maps.Keys(byID))) + 1
	tokens, types, score := make([]string, size), make([]int32, size), make([]float32, size)
	var merges []string
	for i, raw := range h.Model.Merges {
		var pair [2]string
		if raw[0] == '[' {
			unmarshal(t, raw, &pair)
		} else {
			var text string
			unmarshal(t, raw, &text)
			pair[0], pair[1], _ = strings.Cut(text, " ")
		}
		merges = append(merges, pair[0]+" "+pair[1])
		for id, token := range byID { // scores that make the same order
			if _, twice := scores[id]; token == pair[0]+pair[1] && !twice {
				scores[id] = float32(-i)
			}
		}
	}
	for id, token := range byID {
		tokens[id], types[id], score[id] = token, int32(typeNormal), scores[id]
		_, isByte := parseByteToken(token)
		switch k, ok := special[id]; {
		case ok:
			types[id] = k
		case isByte:
			types[id] = int32(typeByte)
		case h.Model.Type == "WordPiece" && strings.HasPrefix(token, "##"):
			tokens[id] = token[2:]
		case h.Model.Type == "WordPiece":
			tokens[id] = spmSpace + token
		}
	}
	m := metaOf(t, map[string]any{keyTokens: tokens, keyTypes: types, keyScores: score, keyMerges: merges}, set)
	find := func(key, name string) {
		for id, token := range tokens {
			if token == name {
				if err := m.Set(key, uint32(id)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	find(keyBOS, "<s>")
	find(keyBOS, "[CLS]")
	find(keyBOS, "<|begin_of_text|>")
	find(keyEOS, "</s>")
	find(keyEOS, "[SEP]")
	find(keySEP, "[SEP]")
	find(keyUnknown, "<unk>")
	find(keyUnknown, "[UNK]")
	charsMap := h.Normalizer.Map
	for _, n := range h.Normalizer.Normalizers {
		charsMap += n.Map
	}
	if charsMap != "" {
		b, err := base64.StdEncoding.DecodeString(charsMap)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Set(keyCharsMap, b); err != nil {
			t.Fatal(err)
		}
	}
	if h.Normalizer.Lowercase != nil {
		if err := m.Set(keyLowercase, *h.Normalizer.Lowercase); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func unmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// TestHuggingFace holds ids against those of Hugging Face's tokenizers library,
// but for texts in which something matters that a GGUF file does not say.
func TestHuggingFace(t *testing.T) {
	for _, c := range []struct {
		kind string
		set  map[string]any
		lost func(text string) bool // beside what added tokens lose
	}{
		{"gpt2", map[string]any{keyModel: "gpt2", keyPre: "gpt-2"}, nil},
		{"roberta", map[string]any{keyModel: "gpt2", keyPre: "roberta-bpe", keyAddBOS: true, keyAddEOS: true}, nil},
		{"modernbert", map[string]any{keyModel: "gpt2", keyPre: "modern-bert", keyAddBOS: true, keyAddEOS: true}, nil},
		{"digits", map[string]any{keyModel: "gpt2", keyPre: "smollm"}, nil},
		{"llama3", map[string]any{keyModel: "gpt2", keyPre: "dbrx", keyAddBOS: true}, nil},
		{"byte-ignore-merges", map[string]any{keyModel: "gpt2", keyPre: "llama-bpe", keyAddBOS: false}, nil},
		{"qwen2", map[string]any{keyModel: "gpt2", keyPre: "qwen2"}, nil},
		{"sp", map[string]any{keyModel: "llama"}, nil},
		{"gemma", map[string]any{keyModel: "llama", keyPrefix: false}, nil},
		// A space goes before a text that begins with none, and before nothing else.
		{"metaspace", map[string]any{keyModel: "llama"}, func(text string) bool {
			return strings.HasPrefix(text, " ") || strings.Contains(text, "<s>") || strings.Contains(text, "<tool>")
		}},
		// The text is split at any white space, and at U+2581.
		{"unigram", map[string]any{keyModel: "t5", keyPrefix: true, keySqueeze: true, keyAddBOS: true}, func(text string) bool {
			return strings.ContainsAny(text, "\u2028▁")
		}},
		// Spaces at the end stay, which SentencePiece itself takes away.
		{"t5", map[string]any{keyModel: "t5", keyPrefix: true, keySqueeze: true}, func(text string) bool {
			return strings.TrimRightFunc(text, unicode.IsSpace) != text || strings.Contains(text, " <unk> ")
		}},
		{"wordpiece", map[string]any{keyModel: "bert"}, nil},
		{"wordpiece-cased", map[string]any{keyModel: "bert"}, nil},
	} {
		t.Run(c.kind, func(t *testing.T) {
			var h hfTokenizer
			unmarshal(t, testdata.Read(t, "hf/tokenizers/"+c.kind+"/tokenizer.json"), &h)
			var rows [][4]json.RawMessage
			unmarshal(t, testdata.Read(t, "hf/tokenizers/"+c.kind+"/texts.json"), &rows)
			tok := mustNew(t, h.meta(t, c.set))
			held := 0
			for _, row := range rows {
				var text string
				var ids [2][]int32 // without and with special tokens
				unmarshal(t, row[0], &text)
				unmarshal(t, row[1], &ids[0])
				unmarshal(t, row[2], &ids[1])
				// What stands beside an added token may matter to it.
				if len(h.Added) > 5 && (strings.Contains(text, "<|sep|>") || strings.Contains(text, "Word") || strings.Contains(text, "  both")) ||
					c.lost != nil && c.lost(text) {
					continue
				}
				held++
				for i, want := range ids {
					got, err := tok.Encode(text, EncodeOptions{AddSpecial: i == 1, ParseSpecial: true})
					if err != nil || !slices.Equal(got, want) {
						t.Errorf("%q, special %v: (%v)\n got %q\nwant %q", text, i == 1, err, pieces(tok, got), pieces(tok, want))
					}
				}
			}
			if held < 50 {
				t.Errorf("%d of %d texts were held", held, len(rows))
			}
		})
	}
}

// TestMiniLM holds the ids of a real WordPiece model against those of its own
// tokenizer.
func TestMiniLM(t *testing.T) {
	var rows []struct {
		Text string
		IDs  []int32
	}
	unmarshal(t, testdata.Read(t, "real/minilm.json"), &rows)
	tok := mustNew(t, open(t, testdata.Path(t, "real/all-MiniLM-L6-v2-Q8_0.gguf")))
	if len(rows) < 50 {
		t.Fatalf("%d texts", len(rows))
	}
	for _, r := range rows {
		got, err := tok.Encode(r.Text, EncodeOptions{AddSpecial: true, ParseSpecial: true})
		if err != nil || !slices.Equal(got, r.IDs) {
			t.Errorf("%q: (%v)\n got %q\nwant %q", r.Text, err, pieces(tok, got), pieces(tok, r.IDs))
		}
	}
}

// TestEncoderTexts holds the ids of the text that comes with small encoders.
func TestEncoderTexts(t *testing.T) {
	var index struct {
		Text     string
		Fixtures map[string]struct {
			TextIDs []int32 `json:"text_ids"`
		}
	}
	unmarshal(t, testdata.Read(t, "encoders/index.json"), &index)
	held := 0
	for name, fixture := range index.Fixtures {
		if fixture.TextIDs == nil {
			continue
		}
		held++
		tok := mustNew(t, open(t, testdata.Path(t, "encoders/"+name+".gguf")))
		got, err := tok.Encode(index.Text, EncodeOptions{AddSpecial: true})
		if err != nil || !slices.Equal(got, fixture.TextIDs) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, fixture.TextIDs)
		}
	}
	if held == 0 {
		t.Error("no fixture has a text")
	}
}
