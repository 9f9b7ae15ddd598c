package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/normswap/normswap/engine"
	"github.com/spf13/cobra"
)

// A question has a context, choices to continue it, and the index of the right one.
type question struct {
	Context *string  `json:"context"`
	Choices []string `json:"choices"`
	Answer  *int     `json:"answer"`
}

// scoreRow is what infer score --json prints for a question.
type scoreRow struct {
	Norms    string    `json:"norms"`
	Index    int       `json:"index"`
	Logprobs []float64 `json:"logprobs"` // of the choices
	Best     int       `json:"best"`
	BestNorm int       `json:"best_by_length"`
	Answer   int       `json:"answer"`
}

func newScore() *cobra.Command {
	var o modelFlags
	var against choice
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "score MODEL FILE",
		Short: "Answer multiple-choice questions by log-likelihood",
		Long: `score reads questions, a JSON object a line with context, choices and answer
(the index of the right choice, from 0), and takes the choice that is the most
likely behind the context and a space. By length means that log-likelihoods are
divided by the number of characters, as acc_norm of lm-evaluation-harness has
it. With --against the same questions are put to the model with other norms, and
the difference gets the standard error of pairs.`,
		Example: `  infer score model.gguf questions.jsonl
  infer score model.gguf questions.jsonl --against rms-naive
  infer score model.gguf questions.jsonl --json`,
		Args: exactArgs("MODEL", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, w := cmd.Context(), cmd.OutOrStdout()
			if err := o.check(); err != nil {
				return err
			}
			text, err := readText(ctx, args[1])
			if err != nil {
				return err
			}
			questions, err := parseQuestions(args[1], text)
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

// parseQuestions reads a question a line.
func parseQuestions(path, text string) (list []question, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var q question
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		switch {
		case q.Context == nil || q.Answer == nil || len(q.Choices) == 0:
			return nil, fmt.Errorf("%s, line %d: a question has context, choices and answer", path, n)
		case *q.Answer < 0 || *q.Answer >= len(q.Choices):
			return nil, fmt.Errorf("%s, line %d: the answer is %d, the choices have the indices 0 to %d", path, n, *q.Answer, len(q.Choices)-1)
		}
		list = append(list, q)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no questions", path)
	}
	return list, nil
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
		row := scoreRow{Norms: norms, Index: i, Answer: *q.Answer}
		best, bestNorm := math.Inf(-1), math.Inf(-1)
		for k, choice := range q.Choices {
			prefix, rest, err := m.ContinuationTokens(*q.Context, " "+choice)
			if err != nil {
				return nil, err
			}
			got, err := s.Score(ctx, prefix, [][]int32{rest})
			if err != nil {
				return nil, fmt.Errorf("question %d, choice %d: %w", i, k, err)
			}
			v := got[0].Logprob
			row.Logprobs = append(row.Logprobs, v)
			if v > best {
				best, row.Best = v, k
			}
			if v /= float64(max(1, utf8.RuneCountInString(choice))); v > bestNorm {
				bestNorm, row.BestNorm = v, k
			}
		}
		rows = append(rows, row)
		bar.add(1)
	}
	return rows, nil
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
	right := func(rows []scoreRow, byLength bool) (x []float64) {
		for _, r := range rows {
			best := r.Best
			if byLength {
				best = r.BestNorm
			}
			if x = append(x, 0); best == r.Answer {
				x[len(x)-1] = 1
			}
		}
		return x
	}
	line := func(name string, plain, byLength []float64) error {
		a, ae := meanError(plain)
		b, be := meanError(byLength)
		_, err := fmt.Fprintf(w, "%-12s accuracy %7.4f ± %.4f   by length %7.4f ± %.4f   %d questions\n", name, a, ae, b, be, len(plain))
		return err
	}
	for _, rows := range all {
		if err := line(rows[0].Norms, right(rows, false), right(rows, true)); err != nil {
			return err
		}
	}
	if len(all) < 2 {
		return nil
	}
	less := func(byLength bool) []float64 {
		x, y := right(all[1], byLength), right(all[0], byLength)
		for i := range x {
			x[i] -= y[i]
		}
		return x
	}
	return line("difference", less(false), less(true))
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
