package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/tokenizer"
	"github.com/spf13/cobra"
)

// addTokenizer registers whose ids a text gets.
func addTokenizer(cmd *cobra.Command, c *choice) {
	addChoice(cmd, c, "tokenizer", "trained", "token ids as of the tokenizer that the model was trained with, or llama.cpp's where they differ", "trained", "llama.cpp")
}

// tokenizerOptions are those of the flag that addTokenizer registers.
func tokenizerOptions(c choice) tokenizer.Options {
	return tokenizer.Options{LlamaCpp: c.value == "llama.cpp"}
}

// leftOut turns the error that some bytes of a text have no token into a
// warning.
func leftOut(err error) error {
	var unknown *tokenizer.UnknownBytesError
	if !errors.As(err, &unknown) {
		return err
	}
	note("warning: %v; left out", err)
	return nil
}

// textIDs returns the ids of the text that a model is measured on: that of a
// file, or that in this program if file is empty.
func textIDs(ctx context.Context, m *engine.Model, file, text string, n int) (ids []int32, random bool, err error) {
	ids, random, err = eval.Text(ctx, m, text, n)
	var unknown *tokenizer.UnknownBytesError
	if file == "" && errors.As(err, &unknown) {
		return nil, false, fmt.Errorf("the model's vocabulary cannot write %s, the text in this program; give a text of this model with -f", tales.TextName)
	}
	return ids, random, leftOut(err)
}
