package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/bench"
	"github.com/normswap/normswap/internal/tales"
)

// measureBench measures the model in the program and returns a function that
// writes the results in a format.
func measureBench(t *testing.T, o *benchFlags) (write func(format string) string) {
	t.Helper()
	o.gens, o.depths, o.threads = []int{2}, []int{0}, []int{1}
	o.kv.value, o.act.value = "f16", "q8"
	all, err := o.measure(context.Background(), []string{""}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return func(format string) string {
		t.Helper()
		o.format.value = format
		var out bytes.Buffer
		if err := o.write(&out, all); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
}

func TestBenchFormats(t *testing.T) {
	write := measureBench(t, &benchFlags{prompts: []int{8, 4}, rounds: 3, norms: []string{"native", "rms-folded"}})
	var rows []struct {
		Test, Norm, Verdict string
		Avg                 float64  `json:"avg_ts"`
		SD                  float64  `json:"stddev_ts"`
		Ratio               *float64 `json:"ratio"`
		Moved               *float64 `json:"gb_per_s"`
		Share               *float64 `json:"of_reading_percent"`
		Prompt              int      `json:"n_prompt"`
		Threads             int      `json:"n_threads"`
	}
	if err := json.Unmarshal([]byte(write("json")), &rows); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, r := range rows {
		seen = append(seen, r.Test+" "+r.Norm)
		if !(r.Avg > 0) || r.Threads != 1 || (r.Norm == "native") != (r.Ratio == nil) || (r.Norm == "native") != (r.Verdict == "") {
			t.Errorf("row %+v", r)
		}
		if single := r.Prompt == 0; single != (r.Moved != nil) || single && !(*r.Moved > 0 && *r.Share > 0) {
			t.Errorf("row %+v: traffic of memory", r)
		}
	}
	want := "pp8 native, pp8 rms-folded, pp4 native, pp4 rms-folded, tg2 native, tg2 rms-folded"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("rows %s, want %s", got, want)
	}

	table, err := csv.NewReader(strings.NewReader(write("csv"))).ReadAll()
	if err != nil || len(table) != 7 {
		t.Errorf("CSV of %d lines: %v", len(table), err)
	}
	if lines := strings.Count(write("jsonl"), "\n"); lines != 6 {
		t.Errorf("%d JSON lines, want 6", lines)
	}
	for _, format := range []string{"text", "md"} {
		out := write(format)
		for _, word := range []string{"tokens/s", "pp8", "tg2", "rms-folded", "±", "verdict", "kernels", "GB/s", "of reading (%)"} {
			if !strings.Contains(out, word) {
				t.Errorf("%s: no %q in\n%s", format, word, out)
			}
		}
	}
	out := write("bench")
	if n := strings.Count(out, "\nBenchmarkInfer/model=fairy-tales-5.5M-layernorm-Q8_0/threads=1/norm="); n != 18 {
		t.Errorf("%d benchmark lines, want 18 (6 rows, 3 rounds):\n%s", n, out)
	}
}

func TestBenchProfile(t *testing.T) {
	write := measureBench(t, &benchFlags{prompts: []int{8}, rounds: 2, norms: []string{"native", "rms-naive"}, profile: true})
	var rows []struct {
		Norm, Test, Operation string
		Calls, Share          float64
	}
	if err := json.Unmarshal([]byte(write("json")), &rows); err != nil {
		t.Fatal(err)
	}
	norms, share := map[string]float64{}, 0.0
	for _, r := range rows {
		if strings.Contains(r.Operation, "Norm 256") {
			norms[r.Norm+" "+strings.TrimSuffix(r.Operation, ", prepare")] += r.Calls
		}
		share += r.Share
	}
	// four blocks of two norms, and the final one: for the prompt, and for
	// each of two tokens
	if len(norms) != 2 || norms["native LayerNorm 256"] != 27 || norms["rms-naive RMSNorm 256"] != 27 {
		t.Errorf("norms per run: %v", norms)
	}
	if share < 399.9 || share > 400.1 {
		t.Errorf("the shares of two modes and tests add up to %v %%", share)
	}
	out := write("text")
	for _, word := range []string{tales.Name + ", norm native, threads 1, pp8", "LayerNorm 256", "between the operations", "GB/s", "waiting"} {
		if !strings.Contains(out, word) {
			t.Errorf("no %q in\n%s", word, out)
		}
	}
}

func TestBenchUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-p 0 -n 0", "nothing to measure"},
		{"-p -1", "--n-prompt -1"},
		{"-t 100000", "--threads 100000"},
		{"--profile --format bench", "have no form for benchstat"},
		{"-r 0", "--repetitions 0"},
		{"--norm native,wrong", "--norm wrong: choose from native"},
		{"--norm rms-folde", "did you mean rms-folded?"},
	} {
		cmd := newBench()
		if err := cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		err := cmd.RunE(cmd, nil)
		var usage *usageError
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &usage) {
			t.Errorf("bench %s: %v, want a usage error with %q", c.args, err, c.want)
		}
	}
}

func TestKernelTable(t *testing.T) {
	all := []bench.Kernel{
		{Name: "RMSNorm, gain", Shape: "1 x 768", Tier: "avx2", Threads: 1, Time: 100, Bytes: 9216, Basis: bench.Copying, Limit: 184.32},
		{Name: "matmul Q8_0", Shape: "2048 x 2048, 256 rows", Tier: "avx2", Threads: 2, Time: 10_000_000, Bytes: 1, Flops: 2e9, Basis: bench.Adding, Limit: 100},
	}
	text := kernelTable(all, true).String()
	for _, line := range []string{
		"RMSNorm, gain  1 x 768                      1  avx2  100 ns   92.2    184.3                  50  read, read, write (GB/s)",
		"matmul Q8_0    2048 x 2048, 256 rows        2  avx2   10 ms  200.0    100.0                 200  multiply-add (GFLOP/s)",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no line\n%s\nin\n%s", line, text)
		}
	}
	if rows := kernelTable(all, false).Rows; rows[0][4] != 1e-7 || rows[1][7] != 200.0 {
		t.Errorf("rows %v", rows)
	}
}

func TestSlower(t *testing.T) {
	kernel := func(name, tier string, took time.Duration) bench.Kernel {
		return bench.Kernel{Name: name, Shape: "1 row", Threads: 2, Tier: tier, Time: took}
	}
	all := []bench.Kernel{kernel("a", "avx2", 100), kernel("a", "avx512", 104), kernel("b", "avx2", 50), kernel("b", "avx512", 100)}
	if got := slower(all[:2]); len(got) != 1 || !strings.HasPrefix(got[0], "No wider") {
		t.Errorf("%q", got)
	}
	if got := slower(all); len(got) != 2 || got[1] != "b, 1 row, -t 2: avx512 reaches 50 % of the speed of avx2." {
		t.Errorf("%q", got)
	}
}

func TestBenchTypes(t *testing.T) {
	for _, name := range []string{"Q9_9", "I32"} {
		o := benchFlags{types: []string{name}, threads: []int{1}}
		if err := o.writeKernels(context.Background(), io.Discard); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "IQ4_XS") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
