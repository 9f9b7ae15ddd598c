package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A workload is what both sides are given.
type workload struct {
	prompt, gen, pairs int
	threads            []int
	sessions           []string // numbers of those that generate at once; none: one alone, without a name
}

// tests are the names of the tests.
func (w *workload) tests() (names []string) {
	if w.prompt > 0 {
		names = append(names, "pp"+strconv.Itoa(w.prompt))
	}
	if len(w.sessions) == 0 {
		names = append(names, "tg"+strconv.Itoa(w.gen))
	}
	for _, n := range w.sessions {
		names = append(names, fmt.Sprintf("tg%d x %s", w.gen, n))
	}
	return names
}

// A speed is one run of one side: tokens per second by the test's name, what
// they are in percent of what a loop that only reads the weights would give
// (infer measures that), and the most resident memory in bytes.
type speed struct {
	tps, reading map[string]float64
	memory       int64
}

// sides are the programs in build/ that are compared.
var sides = [2]string{"peer", "infer"}

// sideBySide runs both sides in turn, each first in every other pair, and
// returns one row of the table for each test.
func sideBySide(model string, threads int, w workload) ([]string, error) {
	var runs [2][]speed
	for pair := range w.pairs {
		for i := range sides {
			side := (pair + i) % 2
			s, err := bench(sides[side], model, threads, w)
			if err != nil {
				return nil, fmt.Errorf("%s, %d threads: a run ended early, so the comparison is void: %w", model, threads, err)
			}
			runs[side] = append(runs[side], s)
		}
	}
	var rows []string
	for _, test := range w.tests() {
		var tps [2][]float64
		var memory [2]int64
		for side := range runs {
			for _, s := range runs[side] {
				if s.tps[test] <= 0 {
					return nil, fmt.Errorf("%s, %d threads: a run gave no figure for %s, so the comparison is void", model, threads, test)
				}
				tps[side] = append(tps[side], s.tps[test])
				memory[side] = max(memory[side], s.memory)
			}
		}
		reading := "-"
		if runs[1][0].reading[test] > 0 {
			var share [2][]float64
			for i, s := range runs[1] {
				perToken := s.reading[test] / tps[1][i]
				share[0], share[1] = append(share[0], tps[0][i]*perToken), append(share[1], s.reading[test])
			}
			reading = fmt.Sprintf("%.0f / %.0f %%", median(share[0]), median(share[1]))
		}
		r := ratios(tps[1], tps[0])
		low, high := slices.Min(r), slices.Max(r)
		rows = append(rows, fmt.Sprintf("| %s | %d | %s | %.1f | %.1f | %.2f | %.2f..%.2f | %s | %s | %d / %d MB |",
			name(model), threads, test, median(tps[0]), median(tps[1]), median(r), low, high,
			verdict(w.pairs, low, high), reading, memory[0]/1e6, memory[1]/1e6))
	}
	return rows, nil
}

// verdict says what the smallest and the largest ratio of some pairs allow to
// say.
func verdict(pairs int, low, high float64) string {
	switch {
	case pairs < 5:
		return "too few pairs"
	case low > 1:
		return "infer faster"
	case high < 1:
		return "llama.cpp faster"
	}
	return "no measurable difference"
}

// ratios returns a[i] / b[i].
func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return r
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// bench runs `PROGRAM bench` once; peer and infer take the same options and both
// print one JSON object for each test, with llama-bench's names for the fields.
func bench(program, model string, threads int, w workload) (speed, error) {
	args := []string{"bench", model, "-p", strconv.Itoa(w.prompt), "-n", strconv.Itoa(w.gen),
		"-t", strconv.Itoa(threads), "-r", "1", "--format", "jsonl"}
	if len(w.sessions) > 0 {
		args = append(args, "--sessions", strings.Join(w.sessions, ","))
	}
	out, err := execute(program, nil, args...)
	if err != nil {
		return speed{}, err
	}
	s := speed{map[string]float64{}, map[string]float64{}, out.peak}
	for dec := json.NewDecoder(bytes.NewReader(out.stdout)); ; {
		var line struct {
			Test    string  `json:"test"`
			TPS     float64 `json:"avg_ts"`
			Reading float64 `json:"of_reading_percent"` // of infer
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return s, nil
		} else if err != nil {
			return speed{}, fmt.Errorf("%s bench: %w", program, err)
		}
		s.tps[line.Test], s.reading[line.Test] = line.TPS, line.Reading
	}
}
