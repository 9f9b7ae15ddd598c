package main

import (
	"cmp"
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newLogits() *cobra.Command {
	var o modelFlags
	var tokens, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "logits [MODEL] --tokens IDS -o FILE",
		Short: "Write the logits of every token of a sequence",
		Long: `logits evaluates a sequence of token ids and writes what the model predicts
after each of them: float32, little-endian, [tokens x vocabulary]. Checks of
one runner against another compare such files; so the cache of keys and values
is F32 here by default. With --json it writes an object a line for
each token instead, to stdout unless -o names a file.`,
		Example: `  infer logits model.gguf --tokens 3,8,13 -o logits.f32
  ids=$(infer tokenize model.gguf "Hello" --ids)
  infer logits model.gguf --tokens "$ids" -o - | od -f
  infer logits model.gguf --tokens 3,8,13 --json | jq '.logits | max'`,
		Args:              atMostOneModel,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs("--tokens", tokens)
			if err != nil {
				return err
			}
			if out == "" && !asJSON {
				return usagef("logits needs --out: the file to write, or - for stdout; --json prints them")
			}
			if err := o.check(); err != nil {
				return err
			}
			if o.context == 0 {
				o.context = len(ids)
			}
			return o.writeLogits(cmd, modelArg(args), ids, cmp.Or(out, "-"), asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&tokens, "tokens", "", "the token `ids`, with commas or spaces between")
	f.StringVarP(&out, "out", "o", "", "the `file` to write; -: stdout")
	o.add(cmd, "f32")
	addJSON(cmd, &asJSON)
	return cmd
}

// logitsRow is what infer logits --json prints for a token.
type logitsRow struct {
	Position int        `json:"position"`
	Token    int32      `json:"token"`
	Logits   []*float32 `json:"logits"` // of what follows it; null is -Inf
}

func (o *modelFlags) writeLogits(cmd *cobra.Command, path string, ids []int32, out string, asJSON bool) error {
	ctx := cmd.Context()
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := o.newSession(m, len(ids))
	if err != nil {
		return err
	}
	bar := newBar("evaluating", int64(len(ids)), "tokens")
	defer bar.done()
	row := make([]byte, 4*m.Vocab())
	write := func(w io.Writer) error {
		return s.EvalAll(ctx, ids, func(i int, logits []float32) error {
			bar.add(1)
			if asJSON {
				values := make([]*float32, len(logits))
				for j := range logits {
					if !math.IsInf(float64(logits[j]), -1) {
						values[j] = &logits[j]
					}
				}
				return printJSON(w, logitsRow{i, ids[i], values})
			}
			for i, v := range logits {
				binary.LittleEndian.PutUint32(row[4*i:], math.Float32bits(v))
			}
			_, err := w.Write(row)
			return err
		})
	}
	if asJSON && out == "-" {
		return fill(ctx, stdout, write)
	}
	return writeFile(ctx, out, true, write)
}

// parseIDs reads the token ids of a flag.
func parseIDs(flag, s string) ([]int32, error) {
	var ids []int32
	for field := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		id, err := strconv.ParseInt(field, 10, 32)
		if err != nil || id < 0 {
			return nil, usagef("%s: %q is no token id", flag, field)
		}
		ids = append(ids, int32(id))
	}
	if len(ids) == 0 {
		return nil, usagef("%s: want ids such as 3,8,13 (infer tokenize MODEL TEXT --ids makes them)", flag)
	}
	return ids, nil
}
