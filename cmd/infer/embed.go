package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/tokenizer"
	"github.com/spf13/cobra"
)

// embedFlags are those of the commands that run whole texts.
type embedFlags struct {
	modelFlags
	file     string
	gelu     choice
	truncate bool
	asJSON   bool
}

func (o *embedFlags) add(cmd *cobra.Command, file string) {
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", file)
	f.BoolVar(&o.truncate, "truncate", false, "cut texts that are longer than the context of the model, instead of refusing them")
	addChoice(cmd, &o.gelu, "gelu", "trained", "GELU as of the model's training, or in the tanh form, as llama.cpp computes it", "trained", "tanh")
	addTokenizer(cmd, &o.tokenizer)
	o.addThreads(cmd)
	addActivations(cmd, &o.act, "q8")
	f.BoolVar(&o.mmap, "mmap", false, "leave large models in the mapping of their file, shared with other processes, instead of reading them into huge pages")
	addNormFlag(cmd, &o.norm)
	f.StringVar(&o.normLayers, "norm-layers", "", "swap the norms of these `layers` only, such as 0-3,final")
	addJSON(cmd, &o.asJSON)
}

// open loads the model.
func (o *embedFlags) open(ctx context.Context, path string) (*engine.Model, error) {
	o.tanhGELU = o.gelu.value == "tanh"
	return o.modelFlags.open(ctx, path)
}

// texts returns those of the command line, or the lines of a file.
func (o *embedFlags) texts(ctx context.Context, args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	var text string
	var err error
	if o.file != "" {
		text, err = readText(ctx, o.file)
	} else {
		text, err = readStdin(ctx, false)
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, trimEnd(line))
	}
	if len(lines) == 0 {
		return nil, usagef("no text; give texts, or a file with one a line with -f")
	}
	return lines, nil
}

// chunk is how many texts are embedded before they are written.
const chunk = 512

// embed calls f with the vectors of each sequence in turn.
func (o *embedFlags) embed(ctx context.Context, m *engine.Model, sequences [][]int32, e engine.EmbedOptions, f func(i int, vector []float32) error) error {
	bar := newBar("embedding", int64(len(sequences)), "texts")
	defer bar.done()
	e.Truncate = o.truncate
	for first := 0; first < len(sequences); first += chunk {
		some := sequences[first:min(first+chunk, len(sequences))]
		var before int64
		e.Progress = func(done, _ int64) {
			bar.add(done - before)
			before = done
		}
		vectors, err := m.Embed(ctx, some, e)
		if err != nil {
			var long *engine.TooLongError
			if errors.As(err, &long) {
				return fmt.Errorf("text %d has %d tokens, and the context of the model is %d; --truncate cuts it", first+long.Sequence+1, long.Tokens, long.Context)
			}
			return err
		}
		for i, v := range vectors {
			if err := f(first+i, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func newEmbed() *cobra.Command {
	var o embedFlags
	var tokens, out string
	var pooling choice
	var normalize, special, similarity bool
	cmd := &cobra.Command{
		Use:   "embed MODEL [TEXT... | -f FILE]",
		Short: "Turn texts into vectors",
		Long: `embed prints a vector for each text: of those on the command line, of the
lines of a file, or else of the lines on stdin. Encoders such as BERT read a
text whole; decoders embed too, best with the pooling that they were trained
for. The vectors have the length 1, so that the product of two is their cosine,
unless --normalize=false.

With --out they go to a file: NumPy's format if its name ends in .npy, else
float32, little-endian, one vector after the other. With --json an object a text
goes to stdout, and --similarity compares a handful of texts in words.`,
		Example: `  infer embed model.gguf "A cat sleeps." "The kitten naps." --similarity
  infer embed model.gguf -f lines.txt -o vectors.npy
  infer embed model.gguf "A cat sleeps." --json | jq .embedding
  infer embed model.gguf --tokens 101,1037,102 --pooling none -o hidden.f32`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 && o.file != "":
				return usagef("both texts and -f; leave one of them out")
			case (len(args) > 1 || o.file != "") && tokens != "":
				return usagef("both texts and --tokens; leave one of them out")
			case out != "" && (o.asJSON || similarity), o.asJSON && similarity:
				return usagef("--out, --json and --similarity each say what becomes of the vectors; choose one")
			case similarity && !normalize:
				return usagef("--similarity compares vectors of length 1; leave --normalize=false out")
			case similarity && (pooling.value == "none" || pooling.value == "rank"):
				return usagef("--similarity compares one vector a text; leave --pooling %s out", pooling.value)
			case len(args) > 1:
				args = args[:1]
			}
			return exactArgs("MODEL")(cmd, args)
		},
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := o.check(); err != nil {
				return err
			}
			var texts []string
			var sequences [][]int32
			var err error
			if tokens != "" {
				ids, err := parseIDs("--tokens", tokens)
				if err != nil {
					return err
				}
				sequences = [][]int32{ids}
			} else if texts, err = o.texts(ctx, args[1:]); err != nil {
				return err
			}
			m, err := o.open(ctx, args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			if texts != nil {
				if sequences, err = encodeTexts(ctx, m, texts, special); err != nil {
					return err
				}
			}
			e := engine.EmbedOptions{Normalize: normalize}
			p := m.Arch.Pooling
			if pooling.value != "" {
				p = poolings[pooling.value]
				e.Pooling = &p
			}
			switch {
			case similarity && (p == arch.PoolNone || p == arch.PoolRank):
				return usagef("--similarity compares one vector a text, and the model's own pooling is %s; choose one with --pooling", p)
			case similarity:
				return o.similarity(ctx, stdout, m, texts, sequences, e)
			case o.asJSON:
				return o.embed(ctx, m, sequences, e, func(i int, v []float32) error {
					row := embedRow{Index: i, Tokens: len(sequences[i]), Pooling: p.String()}
					if texts != nil {
						row.Text = texts[i]
					}
					if p == arch.PoolRank {
						row.Scores, row.Labels = v, m.Arch.Labels
					} else {
						row.Embedding = v
					}
					return printJSON(stdout, row)
				})
			}
			return o.writeVectors(ctx, m, sequences, e, p, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&tokens, "tokens", "", "the token `ids` of one sequence, in place of a text")
	addChoice(cmd, &pooling, "pooling", "", "how one vector is made of those of the tokens; the file says which is meant", "none", "mean", "cls", "last", "rank")
	f.BoolVar(&normalize, "normalize", true, "divide each vector by its length")
	f.BoolVar(&special, "special", false, "read the names of control tokens, such as [SEP], as such in a text")
	f.BoolVar(&similarity, "similarity", false, "say how near the texts are to each other")
	f.StringVarP(&out, "out", "o", "", "the `file` to write; -: stdout")
	o.add(cmd, "a `file` with a text a line; -: stdin")
	return cmd
}

var poolings = map[string]arch.Pooling{"none": arch.PoolNone, "mean": arch.PoolMean, "cls": arch.PoolCLS, "last": arch.PoolLast, "rank": arch.PoolRank}

// embedRow is what infer embed --json prints for a text.
type embedRow struct {
	Index     int       `json:"index"`
	Text      string    `json:"text,omitempty"`
	Tokens    int       `json:"tokens"`
	Pooling   string    `json:"pooling"`
	Embedding []float32 `json:"embedding,omitempty"` // with pooling none, those of all tokens, one after the other
	Scores    []float32 `json:"scores,omitempty"`
	Labels    []string  `json:"labels,omitempty"`
}

// encodeTexts returns the ids of texts, with the special tokens that the model
// adds.
func encodeTexts(ctx context.Context, m *engine.Model, texts []string, special bool) ([][]int32, error) {
	t, err := m.Tokenizer()
	if err != nil {
		return nil, fmt.Errorf("the model cannot read text: %w; --tokens takes ids", err)
	}
	all := make([][]int32, len(texts))
	for i, text := range texts {
		ids, err := t.EncodeContext(ctx, text, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: special})
		if err = leftOut(err); err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, fmt.Errorf("text %d is empty, and the model has no token for that", i+1)
		}
		all[i] = ids
	}
	return all, nil
}

// writeVectors writes vectors to a file, or as text to stdout if out is empty.
func (o *embedFlags) writeVectors(ctx context.Context, m *engine.Model, sequences [][]int32, e engine.EmbedOptions, p arch.Pooling, out string) error {
	width, rows := m.Arch.Dim, len(sequences)
	switch p {
	case arch.PoolRank:
		width = m.Arch.Scores()
	case arch.PoolNone:
		rows = 0
		for _, s := range sequences {
			rows += len(s)
			if o.truncate {
				rows -= max(0, len(s)-m.Context())
			}
		}
	}
	target := out
	if out == "" {
		target = "-"
	}
	return writeFile(ctx, target, true, func(w io.Writer) error {
		if strings.HasSuffix(out, ".npy") {
			if _, err := w.Write(npyHeader(rows, width)); err != nil {
				return err
			}
		}
		return o.embed(ctx, m, sequences, e, func(_ int, v []float32) error {
			var b []byte
			for i, x := range v {
				if out != "" {
					b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
					continue
				}
				b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
				b = append(b, map[bool]byte{true: '\n', false: ' '}[(i+1)%width == 0])
			}
			_, err := w.Write(b)
			return err
		})
	})
}

// most is how many texts --similarity compares.
const most = 40

// similarity prints the cosines of texts, and which are near each other.
func (o *embedFlags) similarity(ctx context.Context, w io.Writer, m *engine.Model, texts []string, sequences [][]int32, e engine.EmbedOptions) error {
	if len(texts) < 2 || len(texts) > most {
		return usagef("--similarity compares 2 to %d texts, these are %d", most, len(texts))
	}
	var vectors [][]float32
	if err := o.embed(ctx, m, sequences, e, func(_ int, v []float32) error {
		vectors = append(vectors, v)
		return nil
	}); err != nil {
		return err
	}
	return writeSimilarity(w, texts, vectors)
}

func writeSimilarity(w io.Writer, texts []string, vectors [][]float32) error {
	var b strings.Builder
	b.WriteString("    ")
	for j := range texts {
		fmt.Fprintf(&b, "%7d", j+1)
	}
	b.WriteByte('\n')
	for i := range texts {
		fmt.Fprintf(&b, "%4d", i+1)
		for j := range texts {
			fmt.Fprintf(&b, "%7.3f", dot(vectors[i], vectors[j]))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for i, text := range texts {
		best, of := -1, math.Inf(-1)
		for j := range texts {
			if c := dot(vectors[i], vectors[j]); j != i && c > of {
				best, of = j, c
			}
		}
		fmt.Fprintf(&b, "%4d  %s\n      nearest is %d, %s (%.3f)\n", i+1, brief(text), best+1, nearness(of), of)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// nearness is a cosine in words. What is near depends on the model: these are
// rough.
func nearness(cosine float64) string {
	switch {
	case cosine > 0.99:
		return "the same"
	case cosine > 0.8:
		return "very near"
	case cosine > 0.6:
		return "near"
	case cosine > 0.3:
		return "somewhat near"
	}
	return "far away"
}

func dot(x, y []float32) (sum float64) {
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}

// brief is the beginning of a text, in one line.
func brief(text string) string {
	const longest = 66
	runes := []rune(plain.Line(text))
	if len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return string(runes)
}
