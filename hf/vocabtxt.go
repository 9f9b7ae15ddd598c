package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// vocabTxt reads vocab.txt, a piece of WordPiece a line, as transformers' BERT
// tokenizer does of a folder without tokenizer.json. Pieces in brackets are special
// tokens. Text is made lower case if tokenizer_config.json says so, or, where it does
// not say, if no piece has a capital letter.
func vocabTxt(dir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		return nil, err
	}
	var config struct {
		Lower *bool `json:"do_lower_case"`
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json")); err == nil {
		if err := json.Unmarshal(raw, &config); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	vocab, added, lower := map[string]int{}, []map[string]any{}, true
	for id, piece := range strings.Split(strings.TrimRight(string(b), "\r\n"), "\n") {
		piece = strings.TrimRight(piece, "\r")
		vocab[piece] = id
		if strings.HasPrefix(piece, "[") && strings.HasSuffix(piece, "]") && len(piece) > 2 {
			added = append(added, map[string]any{"id": id, "content": piece, "special": true})
			continue
		}
		lower = lower && strings.IndexFunc(piece, unicode.IsUpper) < 0
	}
	if config.Lower != nil {
		lower = *config.Lower
	}
	around := []any{map[string]any{"Sequence": map[string]any{"id": "A"}}}
	_, cls := vocab["[CLS]"]
	_, sep := vocab["[SEP]"]
	if cls && sep {
		special := func(id string) any { return map[string]any{"SpecialToken": map[string]any{"id": id}} }
		around = []any{special("[CLS]"), around[0], special("[SEP]")}
	}
	return json.Marshal(map[string]any{
		"added_tokens":   added,
		"normalizer":     map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": lower},
		"pre_tokenizer":  map[string]any{"type": "BertPreTokenizer"},
		"post_processor": map[string]any{"type": "TemplateProcessing", "single": around},
		"model":          map[string]any{"type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
	})
}
