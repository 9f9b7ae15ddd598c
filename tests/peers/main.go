package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
)

func main() {
	self, err := os.Executable()
	if err == nil {
		programs = filepath.Dir(self) // which compare put there
		err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sidebyside:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	fs := flag.NewFlagSet("tests/peers/compare", flag.ExitOnError)
	var (
		shapes  = fs.String("shapes", "gpt2-124M,llama-1B", "`shapes` of the random models to write and compare, when no MODEL is given")
		types   = fs.String("types", "F16,Q8_0,Q4_0,Q4_K_M", "their `types`; all: every type that infer synth writes")
		folder  = fs.String("models", filepath.Join(here(), "..", "..", "bench-models"), "`folder` of the random models")
		prompt  = fs.Int("p", 512, "tokens of the prompt")
		gen     = fs.Int("n", 64, "tokens to generate")
		depth   = fs.Int("d", 0, "tokens in the cache before")
		act     = fs.String("act", "q8", "`activations` of infer: its --act")
		flash   = fs.String("fa", "auto", "llama.cpp's flash attention: auto, on or off")
		loads   = fs.String("load", "mmap,none", "`ways` in which llama.cpp loads a model: mmap: from the mapping of its file; none: read into memory; the better one counts")
		threads = fs.String("t", "1,2", "numbers of `threads`")
		count   = fs.String("sessions", "", "numbers of `sessions` that generate at once, such as 1,2,4,8,16, instead of one; -p 0 leaves the prompt out")
		pairs   = fs.Int("pairs", 5, "runs of each side, in turn")
		norms   = fs.Bool("norms", true, "measure the norms too: alone, and each norm mode against the model as it was trained")
		quick   = fs.Bool("quick", false, "one pair on one small trained model: does it work, not how fast is it")
	)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: tests/peers/compare [options] [MODEL.gguf ...]\n\nPrints llama.cpp's and infer's tokens per second side by side, as markdown.\n\n")
		fs.PrintDefaults()
	}
	fs.Parse(args)
	w := workload{prompt: *prompt, gen: *gen, depth: *depth, pairs: *pairs, sessions: split(*count), loads: split(*loads), flash: *flash, act: *act}
	for _, s := range split(*threads) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("-t %s: want numbers of threads", *threads)
		}
		w.threads = append(w.threads, n)
	}
	models := fs.Args()
	if *quick {
		w.prompt, w.gen, w.pairs, w.threads = 64, 16, 1, []int{1, 2}
		models = []string{filepath.Join(root(), "tests", "testdata", "trained", "stories260K-F32.gguf")}
	}
	if w.pairs < 1 || w.prompt < 0 || w.gen < 1 || w.depth < 0 || len(w.threads) == 0 || len(w.loads) == 0 {
		return fmt.Errorf("nothing to run: -n, -pairs and -t must be at least 1, -p and -d at least 0, -load is mmap, none or both")
	}
	if len(models) == 0 {
		var err error
		if models, err = synthesise(*folder, split(*shapes), split(*types)); err != nil {
			return err
		}
	}

	llama, err := opponentIs()
	if err != nil {
		return err
	}
	fmt.Printf("Machine: %s, %d processors. %s.\n", cpuModel(), runtime.NumCPU(), llama)
	fmt.Printf("Command: tests/peers/compare %s\n", strings.Join(args, " "))
	fmt.Printf("Load when it started: %s. On a busy machine ratios mean little: whoever spins at a barrier loses.\n\n", loadAverage())
	fmt.Printf("Tokens per second, medians of %d runs of each side in turn; the ratio is infer / llama.cpp,\n", w.pairs)
	fmt.Printf("the median of the %d pairs' ratios with the smallest and the largest. llama.cpp loads the model\n", w.pairs)
	fmt.Printf("in its better way (of %s: mmap is the mapping of the file, none reads it into memory); flash\n", strings.Join(w.loads, ", "))
	fmt.Printf("attention is %s. Of reading: the tokens per second in percent of those that a plain loop over the\n", w.flash)
	fmt.Printf("weights, in the same run, would allow. Memory is the most resident memory of a run, a mapped file\n")
	fmt.Printf("included. Both: llama.cpp / infer.\n\n")
	fmt.Println("| model | threads | test | llama.cpp | load | infer | ratio | min..max | verdict | of reading | memory |")
	fmt.Println("|---|---:|---|---:|---|---:|---:|---|---|---|---|")
	for _, model := range models {
		for _, t := range w.threads {
			rows, err := sideBySide(model, t, w)
			if err != nil {
				return err
			}
			for _, r := range rows {
				fmt.Println(r)
			}
		}
	}
	if !*norms || *quick {
		return nil
	}
	if err := normKernels(w.pairs); err != nil {
		return err
	}
	return normModes(models, w)
}

// normModes prints what swapping a model's norms does to its speed: for a
// LayerNorm model the exact fold and the naive swap, for an RMSNorm model the
// mean removal that it never had.
func normModes(models []string, w workload) error {
	fmt.Printf("\nNorm modes, one thread:\n")
	for _, model := range models {
		norm, err := normOf(model)
		if err != nil {
			return err
		}
		modes := "native,layer"
		if norm == arch.LayerNorm {
			modes = "native,rms-folded,rms-naive"
		}
		out, err := execute("infer", nil, "bench", model, "-p", strconv.Itoa(w.prompt), "-n", strconv.Itoa(w.gen),
			"-t", "1", "-r", strconv.Itoa(w.pairs), "--norm", modes, "--format", "md")
		if err != nil {
			return err
		}
		fmt.Printf("\n%s\n", bytes.TrimSpace(out.stdout))
	}
	return nil
}

// normOf returns the norm of a model's architecture.
func normOf(model string) (arch.NormKind, error) {
	f, err := gguf.Open(model)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", model, err)
	}
	return m.Spec.Norm, nil
}

// root is the repository's root folder.
func root() string { return filepath.Join(here(), "..", "..") }

// name is a model's file name without folder and extension.
func name(model string) string { return strings.TrimSuffix(filepath.Base(model), ".gguf") }

func split(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
}

// synthesise writes the random models that are not there yet and returns all of
// them.
func synthesise(folder string, shapes, types []string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if slices.Equal(types, []string{"all"}) {
		types = toy.Types()
	}
	var models []string
	for _, shape := range shapes {
		for _, typ := range types {
			model := filepath.Join(folder, shape+"-"+typ+".gguf")
			models = append(models, model)
			if _, err := os.Stat(model); err == nil {
				continue
			}
			fmt.Fprintf(os.Stderr, "writing %s\n", model)
			if _, err := execute("infer", nil, "synth", "--shape", shape, "--type", typ, "-o", model); err != nil {
				return nil, err
			}
		}
	}
	return models, nil
}

// loadAverage is the number of processes that wanted to run, over the last minute.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(b), " ")
	return minute
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	seen := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok {
			seen[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("%s, family %s model %s", seen["model name"], seen["cpu family"], seen["model"])
}
