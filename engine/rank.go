package engine

import (
	"fmt"
	"slices"

	"github.com/normswap/normswap/tokenizer"
)

// RankTokens returns the ids of a query with a document, of which the scores of
// [Model.Embed] with [arch.PoolRank] tell how well they fit:
//
//	BOS query EOS SEP document EOS
//
// with those of the special tokens that the vocabulary adds, as llama.cpp has
// them. It is an error if the model has no tokenizer.
func (m *Model) RankTokens(query, document string) ([]int32, error) {
	if m.tokErr != nil {
		return nil, m.tokErr
	}
	var ids []int32
	special := func(add bool, id int32, ok bool) {
		if add && ok {
			ids = append(ids, id)
		}
	}
	t := m.tok
	bos, hasBOS := t.BOS()
	eos, hasEOS := t.EOS()
	sep, hasSEP := t.SEP()
	special(t.AddBOS(), bos, hasBOS)
	for i, text := range []string{query, document} {
		part, err := t.Encode(text, tokenizer.EncodeOptions{})
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		ids = slices.Concat(ids, part)
		special(t.AddEOS(), eos, hasEOS)
		special(i == 0 && t.AddSEP(), sep, hasSEP)
	}
	return ids, nil
}
