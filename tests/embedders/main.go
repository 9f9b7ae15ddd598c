//go:build unix

// Embedders holds the speed of this repository's embeddings against the programs in Python that
// people use; README.md says how.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/contender"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/tokenizer"
)

// An embedder is a contender with what came of it.
type embedder struct {
	*contender.Contender
	tokens  float64   // of all texts
	speeds  []float64 // tokens a second, of each round
	cosines []float64 // of its embeddings with those of the first embedder, by text
}

func main() {
	threads := flag.String("t", "1,2", "numbers of `threads`")
	batches := flag.String("b", "1,32", "numbers of `texts` at a time")
	rounds := flag.Int("r", 5, "`rounds`")
	cpu := flag.Bool("cpu", false, "with one thread: seconds of the processor in place of those of the clock, for a machine with other work")
	only := flag.String("only", "", "those `contenders` whose names contain one of these words")
	python := flag.String("python", "", "the `interpreter` of the venv")
	peer := flag.String("peer", "", "the `program` peer.py")
	folder := flag.String("folder", "", "the `folder` of the model as transformers reads it")
	llama := flag.String("llama", "", "the `program` of tests/peers that embeds with llama.cpp")
	build := flag.String("build", "", "the `folder` with the converted models")
	texts := flag.String("texts", "", "a `file` with a text a line")
	child := flag.Bool("child", false, "be the contender of the arguments: MODEL ACTIVATIONS TEXTS THREADS BATCH")
	flag.Parse()
	err := error(nil)
	if *child {
		err = serve(flag.Args())
	} else {
		r := race{python: *python, peer: *peer, llama: *llama, folder: *folder, build: *build, texts: *texts, rounds: *rounds, cpu: *cpu}
		r.only = strings.FieldsFunc(*only, func(c rune) bool { return c == ',' })
		err = r.compare(strings.Split(*threads, ","), strings.Split(*batches, ","))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "embedders:", err)
		os.Exit(1)
	}
}

// serve embeds with this repository's engine: as peer.py does with others.
func serve(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("want MODEL ACTIVATIONS TEXTS THREADS BATCH, not %d arguments", len(args))
	}
	threads, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	batch, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	b, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	texts := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	ctx := context.Background()
	m, err := engine.Open(ctx, args[0], engine.Options{Threads: threads, FloatActivations: args[1] == "f32", BF16Activations: args[1] == "bf16"})
	if err != nil {
		return err
	}
	defer m.Close()
	t, err := m.Tokenizer()
	if err != nil {
		return err
	}
	tokens := 0
	run := func() (all [][]float32, err error) {
		tokens = 0
		for some := range slices.Chunk(texts, batch) {
			ids := make([][]int32, len(some))
			for i, s := range some {
				if ids[i], err = t.Encode(s, tokenizer.EncodeOptions{AddSpecial: true}); err != nil {
					return nil, err
				}
				tokens += len(ids[i])
			}
			v, err := m.Embed(ctx, ids, engine.EmbedOptions{Normalize: true})
			if err != nil {
				return nil, err
			}
			all = append(all, v...)
		}
		return all, nil
	}
	if _, err := run(); err != nil {
		return err
	}
	return contender.Serve([]float64{float64(tokens)}, func(line string) ([]float64, error) {
		start, used := time.Now(), processorSeconds()
		vectors, err := run()
		if err != nil {
			return nil, err
		}
		seconds := time.Since(start).Seconds()
		used = processorSeconds() - used
		if _, path, ok := strings.Cut(line, " "); ok {
			var out []byte
			for _, x := range slices.Concat(vectors...) {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
			}
			if err := os.WriteFile(path, out, 0o600); err != nil {
				return nil, err
			}
		}
		return []float64{seconds, used}, nil
	})
}

func processorSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// A race is a comparison of all contenders.
type race struct {
	python, peer, llama, folder, build, texts string

	rounds int
	cpu    bool
	only   []string
}

// contenders are all: programs in Python with the arguments of peer.py, llama.cpp with the
// program of tests/peers, and this one where kind is "".
var contenders = []struct{ name, kind, model, act string }{
	{"infer, F32", "", "minilm-F32.gguf", "f32"}, {"infer, F16", "", "minilm-F16.gguf", "f32"},
	{"infer, BF16", "", "minilm-BF16.gguf", "f32"}, {"infer, BF16, --act bf16", "", "minilm-BF16.gguf", "bf16"},
	{"infer, Q8_0", "", "minilm-Q8_0.gguf", "q8"},
	{"ONNX Runtime, F32", "onnx", "onnx/float32.onnx", ""}, {"ONNX Runtime, int8", "onnx", "onnx/int8.onnx", ""},
	{"PyTorch, F32", "torch", "float32", ""}, {"PyTorch, BF16", "torch", "bfloat16", ""},
	{"llama.cpp, F32", "llama", "minilm-F32.gguf", ""}, {"llama.cpp, F16", "llama", "minilm-F16.gguf", ""},
	{"llama.cpp, BF16", "llama", "minilm-BF16.gguf", ""}, {"llama.cpp, Q8_0", "llama", "minilm-Q8_0.gguf", ""},
}

// pairs are the embedders whose ratio is printed.
var pairs = [][2]string{
	{"infer, F32", "ONNX Runtime, F32"}, {"infer, F16", "ONNX Runtime, F32"}, {"infer, Q8_0", "ONNX Runtime, int8"},
	{"infer, BF16, --act bf16", "PyTorch, BF16"},
	{"infer, F32", "llama.cpp, F32"}, {"infer, F16", "llama.cpp, F16"}, {"infer, BF16, --act bf16", "llama.cpp, BF16"}, {"infer, Q8_0", "llama.cpp, Q8_0"},
}

// compare times the contenders in turn, round by round, and prints a table for each number of
// threads and of texts at a time.
func (r *race) compare(threads, batches []string) error {
	temp, err := os.MkdirTemp("", "embedders")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if r.texts == "" {
		r.texts = filepath.Join(temp, "texts")
		if err := os.WriteFile(r.texts, []byte(pieces(tales.Text, 240, 33)), 0o600); err != nil {
			return err
		}
	}
	for _, t := range threads {
		for _, b := range batches {
			if err := r.run(t, b, filepath.Join(temp, "vectors")); err != nil {
				return err
			}
		}
	}
	return nil
}

// pieces are the first words of a text, some on each line.
func pieces(text string, lines, words int) string {
	var b strings.Builder
	for line := range slices.Chunk(strings.Fields(text)[:lines*words], words) {
		b.WriteString(strings.Join(line, " ") + "\n")
	}
	return b.String()
}

// run starts the contenders, times them and prints a table.
func (r *race) run(threads, batch, path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var all []*embedder
	for _, c := range contenders {
		if len(r.only) > 0 && !slices.ContainsFunc(r.only, func(s string) bool { return strings.Contains(c.name, s) }) {
			continue
		}
		model := c.model
		if c.kind != "torch" {
			model = filepath.Join(r.build, model)
		}
		program, args := self, []string{"-child", model, c.act, r.texts, threads, batch}
		switch c.kind {
		case "onnx", "torch":
			program, args = r.python, []string{r.peer, c.kind, r.folder, model, r.texts, threads, batch}
		case "llama":
			program, args = r.llama, []string{"embed", model, "--texts", r.texts, "-t", threads, "-b", batch}
		}
		k, tokens, err := contender.Start(c.name, 1, program, args...)
		if err != nil {
			fmt.Fprintf(os.Stderr, "embedders: %s is left out: %v\n", c.name, err)
			continue
		}
		defer k.Close()
		all = append(all, &embedder{Contender: k, tokens: tokens[0]})
	}
	if len(all) == 0 {
		return errors.New("no contender runs")
	}
	if err := vectors(all, path); err != nil {
		return err
	}
	programs := make([]*contender.Contender, len(all))
	for i, e := range all {
		programs[i] = e.Contender
	}
	results, err := contender.Rounds(programs, r.rounds, func(c *contender.Contender) ([]float64, error) { return c.Ask("", 2) })
	if err != nil {
		return err
	}
	clock := 0 // of an answer: the seconds of the clock, and those of the processor
	if r.cpu && threads == "1" {
		clock = 1
	}
	for i, e := range all {
		for _, seconds := range results[i] {
			e.speeds = append(e.speeds, e.tokens/seconds[clock])
		}
	}
	write(all, threads, batch)
	return nil
}

// vectors compares the embeddings of all with those of the first.
func vectors(all []*embedder, path string) error {
	var first []float32
	for i, e := range all {
		if _, err := e.Ask("vectors "+path, 2); err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		v := make([]float32, len(b)/4)
		for j := range v {
			v[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
		if i == 0 {
			first = v
		}
		if len(v) != len(first) {
			return fmt.Errorf("%s gives %d numbers, %s %d", e.Name, len(v), all[0].Name, len(first))
		}
		e.cosines = cosines(first, v)
	}
	return nil
}

// cosines of rows that are 384 wide.
func cosines(a, b []float32) (all []float64) {
	const width = 384
	for i := 0; i+width <= min(len(a), len(b)); i += width {
		sum := 0.0
		for j := i; j < i+width; j++ {
			sum += float64(a[j]) * float64(b[j])
		}
		all = append(all, sum)
	}
	return all
}

// write prints the speeds, and then the ratios.
func write(all []*embedder, threads, batch string) {
	fmt.Printf("\n%s, %s at a time:\n\n", count(threads, "thread"), count(batch, "text"))
	fmt.Printf("| program | tokens/s | texts/s | cosine with %s, median / worst |\n|---|---:|---:|---|\n", all[0].Name)
	by := map[string]*embedder{}
	for _, e := range all {
		by[e.Name] = e
		speed := contender.Median(e.speeds)
		fmt.Printf("| %s | %.0f | %.0f | %.6f / %.6f |\n", e.Name, speed, speed*float64(len(e.cosines))/e.tokens, contender.Median(e.cosines), slices.Min(e.cosines))
	}
	fmt.Printf("\n| | beside | ratio | min..max |\n|---|---|---:|---|\n")
	for _, pair := range pairs {
		if a, b := by[pair[0]], by[pair[1]]; a != nil && b != nil {
			median, low, high := contender.Ratio(a.speeds, b.speeds)
			fmt.Printf("| %s | %s | %.2f | %.2f..%.2f |\n", a.Name, b.Name, median, low, high)
		}
	}
}

// count is "1 thread", "2 threads".
func count(n, what string) string {
	if n == "1" {
		return n + " " + what
	}
	return n + " " + what + "s"
}
