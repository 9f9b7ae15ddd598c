package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/internal/contender"
)

// A workload is what both sides are given.
type workload struct {
	prompt, gen, depth, pairs int
	threads                   []int
	sessions                  []string // numbers of those that generate at once; none: one alone, without a name
	loads                     []string // how llama.cpp loads the model: mmap, none
	flash                     string   // its flash attention: auto, on, off
	act                       string   // activations of infer, its --act
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
	if w.depth > 0 {
		for i := range names {
			names[i] += " @ d" + strconv.Itoa(w.depth)
		}
	}
	return names
}

// A side is a program that is compared.
type side struct {
	program string
	args    []string
	load    string // how it loads the model, if it is llama.cpp
}

// sides are llama.cpp, once for each way to load the model, and at last infer.
func (w *workload) sides() (all []side) {
	for _, load := range w.loads {
		all = append(all, side{opponent(), []string{"--load", load, "-fa", w.flash}, load})
	}
	return append(all, side{program: "infer", args: []string{"--act", w.act}})
}

// opponent is the program that drives llama.cpp: with the libraries of PEER_DIR, or
// the prebuilt ones.
func opponent() string {
	if os.Getenv("PEER_DIR") != "" {
		return "peer-native"
	}
	return "peer"
}

// opponentIs says which llama.cpp that is, and what its kernels use.
func opponentIs() (string, error) {
	out, err := execute(opponent(), nil, "version")
	if err != nil {
		return "", err
	}
	var said struct{ System string }
	if err := json.Unmarshal(out.stdout, &said); err != nil {
		return "", fmt.Errorf("%s version: %w", opponent(), err)
	}
	origin := "the prebuilt libraries of node-llama-cpp 3.22.1"
	if os.Getenv("PEER_DIR") != "" {
		origin = "built for this processor"
	}
	kernels := strings.NewReplacer("CPU : ", "", " = 1 |", ",").Replace(said.System) // "CPU : AVX2 = 1 | FMA = 1 | "
	return fmt.Sprintf("llama.cpp: release v0.5.0, %s (%s)", origin, strings.TrimRight(kernels, ", ")), nil
}

// A speed is one run of one side: tokens per second by the test's name, what
// they are in percent of what a loop that only reads the weights would give
// (infer measures that), and the most resident memory in bytes.
type speed struct {
	tps, reading map[string]float64
	memory       int64
}

// sideBySide runs all sides in turn, each first in its share of the rounds, and
// returns one row of the table for each test. Where llama.cpp loads the model in
// several ways, its row is that of the better one.
func sideBySide(model string, threads int, w workload) ([]string, error) {
	sides := w.sides()
	runs := make([][]speed, len(sides))
	for pair := range w.pairs {
		for i := range sides {
			at := (pair + i) % len(sides)
			s, err := bench(sides[at], model, threads, w)
			if err != nil {
				return nil, fmt.Errorf("%s, %d threads: a run ended early, so the comparison is void: %w", model, threads, err)
			}
			runs[at] = append(runs[at], s)
		}
	}
	infer := len(sides) - 1
	var rows []string
	for _, test := range w.tests() {
		tps := make([][]float64, len(sides))
		memory := make([]int64, len(sides))
		best := 0
		for i := range sides {
			for _, s := range runs[i] {
				if s.tps[test] <= 0 {
					return nil, fmt.Errorf("%s, %d threads: a run gave no figure for %s, so the comparison is void", model, threads, test)
				}
				tps[i] = append(tps[i], s.tps[test])
				memory[i] = max(memory[i], s.memory)
			}
			if i < infer && contender.Median(tps[i]) > contender.Median(tps[best]) {
				best = i
			}
		}
		reading := "-"
		if runs[infer][0].reading[test] > 0 {
			var share [2][]float64
			for i, s := range runs[infer] {
				perToken := s.reading[test] / tps[infer][i]
				share[0], share[1] = append(share[0], tps[best][i]*perToken), append(share[1], s.reading[test])
			}
			reading = fmt.Sprintf("%.0f / %.0f %%", contender.Median(share[0]), contender.Median(share[1]))
		}
		r := ratios(tps[infer], tps[best])
		low, high := slices.Min(r), slices.Max(r)
		rows = append(rows, fmt.Sprintf("| %s | %d | %s | %.1f | %s | %.1f | %.2f | %.2f..%.2f | %s | %s | %d / %d MB |",
			name(model), threads, test, contender.Median(tps[best]), sides[best].load, contender.Median(tps[infer]), contender.Median(r), low, high,
			verdict(w.pairs, low, high), reading, memory[best]/1e6, memory[infer]/1e6))
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

// bench runs `PROGRAM bench` once; peer and infer take the same options and both
// print one JSON object for each test, with llama-bench's names for the fields.
func bench(s side, model string, threads int, w workload) (speed, error) {
	args := append([]string{"bench", model, "-p", strconv.Itoa(w.prompt), "-n", strconv.Itoa(w.gen), "-d", strconv.Itoa(w.depth),
		"-t", strconv.Itoa(threads), "-r", "1", "--format", "jsonl"}, s.args...)
	if len(w.sessions) > 0 {
		args = append(args, "--sessions", strings.Join(w.sessions, ","))
	}
	out, err := execute(s.program, nil, args...)
	if err != nil {
		return speed{}, err
	}
	made := speed{map[string]float64{}, map[string]float64{}, out.peak}
	for dec := json.NewDecoder(bytes.NewReader(out.stdout)); ; {
		var line struct {
			Test    string  `json:"test"`
			TPS     float64 `json:"avg_ts"`
			Reading float64 `json:"of_reading_percent"` // of infer
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return made, nil
		} else if err != nil {
			return speed{}, fmt.Errorf("%s bench: %w", s.program, err)
		}
		made.tps[line.Test], made.reading[line.Test] = line.TPS, line.Reading
	}
}
