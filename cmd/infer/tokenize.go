package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/normswap/normswap/tokenizer"
	"github.com/spf13/cobra"
)

func newTokenize() *cobra.Command {
	var file string
	var idsOnly, asJSON, special bool
	var whose choice
	cmd := &cobra.Command{
		Use:   "tokenize MODEL [TEXT | -f FILE]",
		Short: "Show how a model cuts a text into tokens",
		Long: `tokenize prints an id and its piece a line. A file with a vocabulary and no
tensors will do. The text comes from the command line, from the file of -f, or
else from stdin.`,
		Example: `  infer tokenize model.gguf "Hello world"
  infer tokenize model.gguf -f letter.txt --ids
  infer tokenize model.gguf "<|im_start|>user" --special --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 2:
				return usagef("unexpected %q; put the text in quotes", args[2])
			case len(args) == 2 && file != "":
				return usagef("both a text and -f; leave one of them out")
			case idsOnly && asJSON:
				return usagef("--ids and --json both say what to print; leave one of them out")
			case len(args) == 2:
				args = args[:1]
			}
			return exactArgs("MODEL")(cmd, args)
		},
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openFile(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			t, err := tokenizerOptions(whose).New(&f.Meta)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			for _, w := range t.Warnings() {
				note("warning: %s", w)
			}
			var text string
			switch {
			case len(args) == 2:
				text = args[1]
			case file != "":
				text, err = readText(cmd.Context(), file)
			default:
				text, err = readStdin(cmd.Context(), false)
			}
			if err != nil {
				return err
			}
			ids, err := await(cmd.Context(), func() ([]int32, error) {
				return t.EncodeContext(cmd.Context(), text, tokenizer.EncodeOptions{AddSpecial: special, ParseSpecial: special})
			})
			if err = leftOut(err); err != nil {
				return err
			}
			if special && t.DoubledBOS(ids) {
				note("warning: the text begins with the token that begins a text, and gets it once more")
			}
			w := bufio.NewWriter(stdout)
			switch {
			case asJSON:
				err = printJSON(w, jsonTokens(t, ids))
			case idsOnly:
				printIDs(w, ids)
			default:
				for _, id := range ids {
					fmt.Fprintf(w, "%6d %q\n", id, t.Piece(id))
				}
			}
			if err != nil {
				return err
			}
			return w.Flush()
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "a `file` with the text; -: stdin")
	f.BoolVar(&idsOnly, "ids", false, "print the ids alone, on one line")
	f.BoolVar(&special, "special", false, "add BOS and EOS where the model requires them, and read the names of control tokens as such")
	addTokenizer(cmd, &whose)
	addJSON(cmd, &asJSON)
	return cmd
}

func printIDs(w io.Writer, ids []int32) {
	for i, id := range ids {
		if i > 0 {
			fmt.Fprint(w, " ")
		}
		fmt.Fprint(w, id)
	}
	fmt.Fprintln(w)
}

type jsonToken struct {
	ID    int32  `json:"id"`
	Piece string `json:"piece"`
	Bytes string `json:"bytes,omitempty"` // in hexadecimal, where piece is not valid UTF-8
}

func jsonTokens(t *tokenizer.Tokenizer, ids []int32) []jsonToken {
	all := make([]jsonToken, len(ids))
	for i, id := range ids {
		piece := t.Piece(id)
		all[i] = jsonToken{ID: id, Piece: piece}
		if !utf8.ValidString(piece) {
			all[i].Bytes = hex.EncodeToString([]byte(piece))
		}
	}
	return all
}
