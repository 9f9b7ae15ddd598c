//go:build unix

// Embedders holds the speed of this repository's embeddings against the programs in Python that
// people use; README.md says how.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/tokenizer"
)

// A contender is a program that waits to be timed.
type contender struct {
	name    string
	in      io.WriteCloser
	out     *bufio.Scanner
	tokens  float64
	speeds  []float64 // tokens a second, of each round
	cosines []float64 // of its embeddings with those of the first contender, by text
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
	build := flag.String("build", "", "the `folder` with the converted models")
	texts := flag.String("texts", "", "a `file` with a text a line")
	child := flag.Bool("child", false, "be the contender of the arguments: MODEL ACTIVATIONS TEXTS THREADS BATCH")
	flag.Parse()
	err := error(nil)
	if *child {
		err = serve(flag.Args())
	} else {
		r := race{python: *python, peer: *peer, folder: *folder, build: *build, texts: *texts, rounds: *rounds, cpu: *cpu}
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
	fmt.Println(tokens)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		start, used := time.Now(), processorSeconds()
		vectors, err := run()
		if err != nil {
			return err
		}
		seconds := time.Since(start).Seconds()
		used = processorSeconds() - used
		if _, path, ok := strings.Cut(lines.Text(), " "); ok {
			var out []byte
			for _, x := range slices.Concat(vectors...) {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
			}
			if err := os.WriteFile(path, out, 0o600); err != nil {
				return err
			}
		}
		fmt.Println(seconds, used)
	}
	return nil
}

func processorSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// start starts a contender and lets it warm up.
func start(name, program string, args ...string) (*contender, error) {
	c := exec.Command(program, args...)
	c.Stderr = io.Discard
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	k := &contender{name: name, in: in, out: bufio.NewScanner(out)}
	numbers, err := k.read(1)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	k.tokens = numbers[0]
	return k, nil
}

// read reads a line of n numbers.
func (c *contender) read(n int) ([]float64, error) {
	if !c.out.Scan() {
		return nil, fmt.Errorf("%s ended early", c.name)
	}
	var numbers []float64
	for word := range strings.FieldsSeq(c.out.Text()) {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%s says %q", c.name, c.out.Text())
		}
		numbers = append(numbers, x)
	}
	if len(numbers) != n {
		return nil, fmt.Errorf("%s says %q", c.name, c.out.Text())
	}
	return numbers, nil
}

// pass has all texts embedded once; the embeddings go to a file unless that is "".
func (c *contender) pass(cpu bool, path string) error {
	line := "\n"
	if path != "" {
		line = "vectors " + path + "\n"
	}
	if _, err := io.WriteString(c.in, line); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	seconds, err := c.read(2)
	if err != nil {
		return err
	}
	s := seconds[0]
	if cpu {
		s = seconds[1]
	}
	if path == "" {
		c.speeds = append(c.speeds, c.tokens/s)
	}
	return nil
}

// A race is a comparison of all contenders.
type race struct {
	python, peer, folder, build, texts string

	rounds int
	cpu    bool
	only   []string
}

// contenders are all, with the arguments of peer.py, or of -child where kind is "".
var contenders = []struct{ name, kind, model, act string }{
	{"infer, F32", "", "minilm-F32.gguf", "f32"}, {"infer, F16", "", "minilm-F16.gguf", "f32"},
	{"infer, BF16", "", "minilm-BF16.gguf", "f32"}, {"infer, BF16, --act bf16", "", "minilm-BF16.gguf", "bf16"},
	{"infer, Q8_0", "", "minilm-Q8_0.gguf", "q8"},
	{"ONNX Runtime, F32", "onnx", "onnx/float32.onnx", ""}, {"ONNX Runtime, int8", "onnx", "onnx/int8.onnx", ""},
	{"PyTorch, F32", "torch", "float32", ""}, {"PyTorch, BF16", "torch", "bfloat16", ""},
	{"llama.cpp, F32", "llama", "minilm-F32.gguf", ""}, {"llama.cpp, Q8_0", "llama", "minilm-Q8_0.gguf", ""},
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
	var all []*contender
	for _, c := range contenders {
		if len(r.only) > 0 && !slices.ContainsFunc(r.only, func(s string) bool { return strings.Contains(c.name, s) }) {
			continue
		}
		model := c.model
		if c.kind != "torch" {
			model = filepath.Join(r.build, model)
		}
		program, args := self, []string{"-child", model, c.act, r.texts, threads, batch}
		if c.kind != "" {
			program, args = r.python, []string{r.peer, c.kind, r.folder, model, r.texts, threads, batch}
		}
		k, err := start(c.name, program, args...)
		if err != nil {
			fmt.Fprintf(os.Stderr, "embedders: %s is left out: %v\n", c.name, err)
			continue
		}
		defer k.in.Close()
		all = append(all, k)
	}
	if len(all) == 0 {
		return errors.New("no contender runs")
	}
	cpu := r.cpu && threads == "1"
	if err := vectors(all, cpu, path); err != nil {
		return err
	}
	for round := range r.rounds {
		for i := range all {
			if err := all[(i+round)%len(all)].pass(cpu, ""); err != nil {
				return err
			}
		}
	}
	write(all, threads, batch)
	return nil
}

// vectors compares the embeddings of all contenders with those of the first.
func vectors(all []*contender, cpu bool, path string) error {
	var first []float32
	for i, c := range all {
		if err := c.pass(cpu, path); err != nil {
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
		c.cosines = cosines(first, v)
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

func write(all []*contender, threads, batch string) {
	fmt.Printf("\n%s thread(s), %s text(s) at a time:\n\n| program | tokens/s | texts/s | cosine with %s, median / worst |\n|---|---|---|---|\n", threads, batch, all[0].name)
	for _, c := range all {
		speed := median(c.speeds)
		fmt.Printf("| %s | %.0f | %.0f | %.6f / %.6f |\n", c.name, speed, speed*float64(len(c.cosines))/c.tokens, median(c.cosines), slices.Min(c.cosines))
	}
	fmt.Println()
	for _, pair := range [][2]string{
		{"infer, F32", "ONNX Runtime, F32"}, {"infer, F16", "ONNX Runtime, F32"}, {"infer, Q8_0", "ONNX Runtime, int8"}, {"infer, BF16, --act bf16", "PyTorch, BF16"},
	} {
		var a, b *contender
		for _, c := range all {
			switch c.name {
			case pair[0]:
				a = c
			case pair[1]:
				b = c
			}
		}
		if a == nil || b == nil {
			continue
		}
		var ratios []float64
		for i := range a.speeds {
			ratios = append(ratios, a.speeds[i]/b.speeds[i])
		}
		fmt.Printf("- %s is %.2f times as fast as %s (%.2f to %.2f in %d rounds).\n", a.name, median(ratios), b.name, slices.Min(ratios), slices.Max(ratios), len(ratios))
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
