package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

// scoreRow is what infer score --json prints for a question.
type scoreRow struct {
	Norms    string    `json:"norms"`
	Index    int       `json:"index"`
	Logprobs []float64 `json:"logprobs"` // of the choices
	ByToken  []float64 `json:"by_token"` // their means, as llama-perplexity takes them
	Best     int       `json:"best"`
	BestNorm int       `json:"best_by_length"`
	BestMean int       `json:"best_by_token"`
	Answer   int       `json:"answer"`
}

func newScore() *cobra.Command {
	var o modelFlags
	var against choice
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "score MODEL FILE",
		Short: "Answer multiple-choice questions by log-likelihood",
		Long: `score reads questions and takes the choice that is the most likely behind the
context and a space. FILE has a JSON object a line with context, choices and
answer (the index of the right choice, from 0), or rows of HellaSwag, ARC or
Winogrande as they are published, which are laid out as lm-evaluation-harness
does; or it is a file for llama-perplexity's --hellaswag, --winogrande or
--multiple-choice.

By length means that log-likelihoods are divided by the number of characters, as
acc_norm of lm-evaluation-harness has it; by token, that they are means over the
tokens in which the choices differ, as llama-perplexity has it. With --against
the same questions are put to the model with other norms, and the difference gets
the standard error of pairs.`,
		Example: `  infer score model.gguf questions.jsonl
  infer score model.gguf questions.jsonl --against rms-naive
  infer score model.gguf questions.jsonl --json`,
		Args: exactArgs("MODEL", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, w := cmd.Context(), cmd.OutOrStdout()
			if err := o.check(); err != nil {
				return err
			}
			questions, err := readQuestions(ctx, args[1])
			if err != nil {
				return err
			}
			m, err := o.open(ctx, args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			models := []*engine.Model{m}
			names := []string{o.norm.value}
			if against.value != "" {
				v, err := o.variant(ctx, m, engine.NormMode(against.value))
				if err != nil {
					return err
				}
				models, names = append(models, v), append(names, against.value)
			}
			var all [][]scoreRow
			for i, m := range models {
				rows, err := o.answer(ctx, m, names[i], questions)
				if err != nil {
					return err
				}
				all = append(all, rows)
			}
			return printScores(w, all, asJSON)
		},
	}
	o.add(cmd, "f32")
	addTokenizer(cmd, &o.tokenizer)
	addChoice(cmd, &against, "against", "", "`mode` of the norms to compare with", modeNames()...)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object for each question")
	return cmd
}

// answer puts the questions to a model.
func (o *modelFlags) answer(ctx context.Context, m *engine.Model, norms string, questions []question) (rows []scoreRow, err error) {
	s, err := o.newSession(m, 0)
	if err != nil {
		return nil, err
	}
	bar := newBar("answering", int64(len(questions)), "questions")
	defer bar.done()
	for i, q := range questions {
		row := scoreRow{Norms: norms, Index: i, Answer: q.answer}
		if row.Logprobs, row.ByToken, err = q.logprobs(ctx, s); err != nil {
			return nil, fmt.Errorf("question %d: %w", i, err)
		}
		byLength := make([]float64, len(row.Logprobs))
		for k, v := range row.Logprobs {
			byLength[k] = v / float64(max(1, utf8.RuneCountInString(q.choices[k])-1)) // without the space
		}
		row.Best, row.BestNorm, row.BestMean = largest(row.Logprobs), largest(byLength), largest(row.ByToken)
		rows = append(rows, row)
		bar.add(1)
	}
	return rows, nil
}

// largest is the index of the first of the largest.
func largest(x []float64) (best int) {
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// A span is a part of a sequence of tokens, from the first one to before the last.
type span struct {
	ids         []int32
	first, last int
}

// logprobs returns the log-likelihood of each choice, and its mean over tokens: those
// behind what all sequences begin with, and in a sentence with a gap those behind the
// choice without the last one, unless there are no more than three (llama-perplexity's
// --hellaswag, --multiple-choice and --winogrande).
func (q *question) logprobs(ctx context.Context, s *engine.Session) (sums, means []float64, err error) {
	var behind, differing []span
	for k, choice := range q.choices {
		prefix, rest, err := s.Model().ContinuationTokens(q.contexts[k], choice)
		switch {
		case err != nil:
			return nil, nil, err
		case len(prefix) == 0 || len(rest) == 0:
			return nil, nil, fmt.Errorf("choice %d or its context has no tokens", k)
		}
		ids := slices.Concat(prefix, rest)
		behind = append(behind, span{ids, len(prefix), len(ids)})
	}
	common, short := len(behind[0].ids), false
	for _, b := range behind {
		n := 0
		for n < min(common, len(b.ids)) && b.ids[n] == behind[0].ids[n] {
			n++
		}
		common = n
	}
	for _, b := range behind {
		short = short || len(b.ids)-common <= 3
	}
	for _, b := range behind {
		d := span{b.ids, min(max(common, 1), len(b.ids)-1), len(b.ids)}
		if q.partial && !short {
			d.first = b.first
		}
		if q.partial && d.last-d.first > 1 {
			d.last--
		}
		differing = append(differing, d)
	}
	if sums, err = likelihoods(ctx, s, behind); err != nil {
		return nil, nil, err
	}
	if means, err = likelihoods(ctx, s, differing); err != nil {
		return nil, nil, err
	}
	for k, d := range differing {
		means[k] /= float64(d.last - d.first)
	}
	return sums, means, nil
}

// likelihoods returns the log-likelihood of each span behind what is before it. A
// beginning that several have in common is evaluated once.
func likelihoods(ctx context.Context, s *engine.Session, spans []span) (list []float64, err error) {
	for len(spans) > 0 {
		prefix := spans[0].ids[:spans[0].first]
		var rests [][]int32
		for len(spans) > 0 && slices.Equal(spans[0].ids[:spans[0].first], prefix) {
			rests = append(rests, spans[0].ids[spans[0].first:spans[0].last])
			spans = spans[1:]
		}
		got, err := s.Score(ctx, prefix, rests)
		if err != nil {
			return nil, err
		}
		for _, c := range got {
			list = append(list, c.Logprob)
		}
	}
	return list, nil
}

// printScores prints the accuracies of one model or two.
func printScores(w io.Writer, all [][]scoreRow, asJSON bool) error {
	if asJSON {
		for _, rows := range all {
			for _, r := range rows {
				if err := printJSON(w, r); err != nil {
					return err
				}
			}
		}
		return nil
	}
	measures := []struct {
		name string
		best func(scoreRow) int
	}{
		{"accuracy", func(r scoreRow) int { return r.Best }},
		{"by length", func(r scoreRow) int { return r.BestNorm }},
		{"by token", func(r scoreRow) int { return r.BestMean }},
	}
	t := &report.Table{Columns: []report.Column{{Key: "norms", Left: true}, {Key: "questions", Format: "%d"}}}
	table := [][]any{}
	for _, rows := range all {
		table = append(table, []any{rows[0].Norms, len(rows)})
	}
	if len(all) > 1 {
		table = append(table, []any{"difference", len(all[0])})
	}
	for _, measure := range measures {
		t.Columns = append(t.Columns, report.Column{Key: measure.name, Format: "%.4f"}, report.Column{Key: measure.name + "_se", Name: "±", Format: "%.4f"})
		right := make([][]float64, len(all))
		for i, rows := range all {
			for _, r := range rows {
				v := 0.0
				if measure.best(r) == r.Answer {
					v = 1
				}
				right[i] = append(right[i], v)
			}
		}
		if len(all) > 1 {
			less := slices.Clone(right[1])
			for i := range less {
				less[i] -= right[0][i]
			}
			right = append(right, less)
		}
		for i, x := range right {
			mean, se := meanError(x)
			table[i] = append(table[i], mean, se)
		}
	}
	for _, row := range table {
		t.Add(row...)
	}
	return writeTable(w, t, report.Text)
}

// meanError returns the mean of x and its standard error.
func meanError(x []float64) (mean, stderr float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	if len(x) < 2 {
		return mean, 0
	}
	for _, v := range x {
		stderr += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(stderr / (n - 1) / n)
}
