package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/spf13/cobra"
)

func newRerank() *cobra.Command {
	var o embedFlags
	cmd := &cobra.Command{
		Use:   "rerank MODEL QUERY [DOCUMENT... | -f FILE]",
		Short: "Put documents in the order in which they answer a query",
		Long: `rerank prints documents, the best first, with the scores that a model with a
classification head gives each of them with the query: the documents on the
command line, the lines of a file, or else the lines on stdin. The scores are
those of the head, as llama.cpp has them; only their order means something.`,
		Example: `  infer rerank bge-reranker.gguf "who naps?" "A cat sleeps." "Rates rose."
  infer rerank bge-reranker.gguf "who naps?" -f documents.txt --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 2 && o.file != "" {
				return usagef("both documents and -f; leave one of them out")
			}
			return exactArgs("MODEL", "QUERY")(cmd, args[:min(len(args), 2)])
		},
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := o.check(); err != nil {
				return err
			}
			documents, err := o.texts(ctx, args[2:])
			if err != nil {
				return err
			}
			m, err := o.open(ctx, args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			if n := m.Arch.Scores(); n > 1 {
				return fmt.Errorf("%s gives %d scores, not one; infer embed --pooling rank prints them", args[0], n)
			}
			var sequences [][]int32
			for _, d := range documents {
				ids, err := m.RankTokens(args[1], d)
				if err = leftOut(err); err != nil {
					return err
				}
				sequences = append(sequences, ids)
			}
			rank := arch.PoolRank
			ranked := make([]rankedRow, len(documents))
			err = o.embed(ctx, m, sequences, engine.EmbedOptions{Pooling: &rank}, func(i int, v []float32) error {
				ranked[i] = rankedRow{i, v[0], documents[i]}
				return nil
			})
			if errors.Is(err, engine.ErrNoScores) {
				return fmt.Errorf("%s has no classification head, and gives no scores; infer embed --similarity compares texts", args[0])
			}
			if err != nil {
				return err
			}
			slices.SortStableFunc(ranked, func(a, b rankedRow) int {
				switch {
				case a.Score > b.Score:
					return -1
				case a.Score < b.Score:
					return 1
				}
				return 0
			})
			w := stdout
			for _, r := range ranked {
				if o.asJSON {
					err = printJSON(w, r)
				} else {
					_, err = fmt.Fprintf(w, "%9.4f  %s\n", r.Score, brief(r.Text))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	o.add(cmd, "a `file` with a document a line; -: stdin")
	return cmd
}

// rankedRow is what infer rerank --json prints for a document.
type rankedRow struct {
	Index int     `json:"index"` // of the document, from 0
	Score float32 `json:"score"`
	Text  string  `json:"text"`
}
