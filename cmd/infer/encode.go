package main

import (
	"errors"

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
