// Runtimes holds the speed of this repository's decoders against runtimes other than
// llama.cpp; README.md says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/contender"
)

func main() {
	threads := flag.String("t", "1,2", "numbers of `threads`")
	prompt := flag.Int("p", 256, "`tokens` of the prompt")
	gen := flag.Int("n", 64, "`tokens` to generate behind it")
	rounds := flag.Int("r", 5, "`rounds`")
	python := flag.String("python", "", "the `interpreter` of the venv")
	peer := flag.String("peer", "", "the `program` peer.py")
	build := flag.String("build", "", "the `folder` with the models of gpt2-124M's shape")
	child := flag.Bool("child", false, "be the contender of the arguments: MODEL THREADS PROMPT GENERATE")
	flag.Parse()
	var err error
	if *child {
		err = serve(flag.Args())
	} else {
		r := race{python: *python, peer: *peer, rounds: *rounds, prompt: *prompt, gen: *gen}
		err = r.compare(strings.Split(*threads, ","), matches(*build, flag.Args()))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "runtimes:", err)
		os.Exit(1)
	}
}

// A match is a model as this repository reads it, and as a runtime does.
type match struct {
	name, model          string // ours
	runtime, kind, other string // the runtime, its name in peer.py, its model
}

// matches are those of gpt2-124M's shape with CTranslate2, and of each file with OpenVINO.
func matches(build string, files []string) []match {
	all := []match{
		{"gpt2-124M, Q8_0", filepath.Join(build, "gpt2-124M-Q8_0.gguf"), "CTranslate2, int8", "ctranslate2", filepath.Join(build, "gpt2-124M", "int8")},
		{"gpt2-124M, F32", filepath.Join(build, "gpt2-124M-F32.gguf"), "CTranslate2, float32", "ctranslate2", filepath.Join(build, "gpt2-124M", "float32")},
	}
	for _, f := range files {
		all = append(all, match{strings.TrimSuffix(filepath.Base(f), ".gguf"), f, "OpenVINO GenAI, the same file", "openvino", f})
	}
	return all
}

// A race is a comparison of all matches.
type race struct {
	python, peer        string
	rounds, prompt, gen int
}

// compare prints a table.
func (r *race) compare(threads []string, all []match) error {
	if r.rounds < 1 || r.prompt < 1 || r.gen < 2 {
		return errors.New("nothing to run: -r and -p must be at least 1, -n at least 2")
	}
	fmt.Printf("| model | threads | test | beside | tokens/s | infer | ratio | min..max |\n|---|---:|---|---|---:|---:|---:|---|\n")
	for _, m := range all {
		for _, t := range threads {
			if err := r.run(m, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// run times the two sides of a match in turn and prints its rows.
func (r *race) run(m match, threads string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	lengths := []string{strconv.Itoa(r.prompt), strconv.Itoa(r.gen)}
	other, _, err := contender.Start(m.runtime, 1, r.python, append([]string{r.peer, m.kind, m.other, threads}, lengths...)...)
	if err != nil {
		fmt.Fprintf(os.Stderr, "runtimes: %s is left out: %v\n", m.name, err)
		return nil
	}
	defer other.Close()
	ours, _, err := contender.Start("infer", 1, self, append([]string{"-child", m.model, threads}, lengths...)...)
	if err != nil {
		return err
	}
	defer ours.Close()
	results, err := contender.Rounds([]*contender.Contender{other, ours}, r.rounds, func(c *contender.Contender) ([]float64, error) { return c.Ask("", 2) })
	if err != nil {
		return err
	}
	for i, test := range []struct {
		name   string
		tokens int
	}{{"pp" + lengths[0], r.prompt}, {fmt.Sprintf("tg%d @ d%d", r.gen-1, r.prompt), r.gen - 1}} {
		var speeds [2][]float64
		for side := range speeds {
			for _, seconds := range results[side] {
				speeds[side] = append(speeds[side], float64(test.tokens)/seconds[i])
			}
		}
		median, low, high := contender.Ratio(speeds[1], speeds[0])
		fmt.Printf("| %s | %s | %s | %s | %.1f | %.1f | %.2f | %.2f..%.2f |\n", m.name, threads, test.name, m.runtime,
			contender.Median(speeds[0]), contender.Median(speeds[1]), median, low, high)
	}
	return nil
}

// serve generates with this repository's engine: as peer.py does with others.
func serve(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("want MODEL THREADS PROMPT GENERATE, not %d arguments", len(args))
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[1+i]); err != nil {
			return err
		}
	}
	threads, prompt, gen := n[0], n[1], n[2]
	ctx := context.Background()
	m, err := engine.Open(ctx, args[0], engine.Options{Threads: threads})
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{Context: prompt + gen})
	if err != nil {
		return err
	}
	tokens := make([]int32, prompt)
	// run returns the seconds until the first token, and those from there to the last.
	run := func(string) ([]float64, error) {
		for i := range tokens {
			tokens[i] = rand.Int32N(int32(m.Vocab()))
		}
		s.Truncate(0)
		start := time.Now()
		var first time.Time
		for _, err := range s.Generate(ctx, tokens, engine.GenerateOptions{Max: gen, IgnoreEOG: true}) {
			if err != nil {
				return nil, err
			}
			if first.IsZero() {
				first = time.Now()
			}
		}
		return []float64{first.Sub(start).Seconds(), time.Since(first).Seconds()}, nil
	}
	if _, err := run(""); err != nil {
		return err
	}
	return contender.Serve([]float64{0}, run)
}
