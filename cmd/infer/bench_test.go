package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func benchRun(t *testing.T, args ...string) string {
	t.Helper()
	cmd := newBench()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetContext(context.Background())
	if err := cmd.RunE(cmd, cmd.Flags().Args()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBenchFormats(t *testing.T) {
	args := []string{"-p", "8,4", "-n", "2", "-r", "3", "-t", "1", "--norm", "native,rms-folded", "-o"}
	var rows []struct {
		Test, Norm, Verdict string
		Avg                 float64  `json:"avg_ts"`
		SD                  float64  `json:"stddev_ts"`
		Ratio               *float64 `json:"ratio"`
		Prompt              int      `json:"n_prompt"`
		Threads             int      `json:"n_threads"`
	}
	if err := json.Unmarshal([]byte(benchRun(t, append(args, "json")...)), &rows); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, r := range rows {
		seen = append(seen, r.Test+" "+r.Norm)
		if !(r.Avg > 0) || r.Threads != 1 || (r.Norm == "native") != (r.Ratio == nil) || (r.Norm == "native") != (r.Verdict == "") {
			t.Errorf("row %+v", r)
		}
	}
	want := "pp8 native, pp8 rms-folded, pp4 native, pp4 rms-folded, tg2 native, tg2 rms-folded"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("rows %s, want %s", got, want)
	}

	table, err := csv.NewReader(strings.NewReader(benchRun(t, append(args, "csv")...))).ReadAll()
	if err != nil || len(table) != 7 {
		t.Errorf("CSV of %d lines: %v", len(table), err)
	}
	if lines := strings.Count(benchRun(t, append(args, "jsonl")...), "\n"); lines != 6 {
		t.Errorf("%d JSON lines, want 6", lines)
	}
	for _, format := range []string{"text", "md"} {
		out := benchRun(t, append(args, format)...)
		for _, word := range []string{"tokens/s", "pp8", "tg2", "rms-folded", "±", "verdict", "kernels"} {
			if !strings.Contains(out, word) {
				t.Errorf("%s: no %q in\n%s", format, word, out)
			}
		}
	}
	out := benchRun(t, append(args, "bench")...)
	if n := strings.Count(out, "\nBenchmarkInfer/model=embedded/threads=1/norm="); n != 18 {
		t.Errorf("%d benchmark lines, want 18 (6 rows, 3 rounds):\n%s", n, out)
	}
}

func TestBenchProfile(t *testing.T) {
	args := []string{"-p", "8", "-n", "0", "-r", "2", "-t", "1", "--norm", "native,rms-naive", "--profile", "-o"}
	var rows []struct {
		Norm, Test, Operation string
		Calls, Share          float64
	}
	if err := json.Unmarshal([]byte(benchRun(t, append(args, "json")...)), &rows); err != nil {
		t.Fatal(err)
	}
	norms, share := map[string]float64{}, 0.0
	for _, r := range rows {
		if strings.Contains(r.Operation, "Norm 256") {
			norms[r.Norm+" "+r.Operation] += r.Calls
		}
		share += r.Share
	}
	// four blocks of two norms, and the final one
	if len(norms) != 2 || norms["native LayerNorm 256"] != 9 || norms["rms-naive RMSNorm 256"] != 9 {
		t.Errorf("norms per run: %v", norms)
	}
	if share < 199.9 || share > 200.1 {
		t.Errorf("the shares of two modes add up to %v %%", share)
	}
	out := benchRun(t, append(args, "text")...)
	for _, word := range []string{"embedded, norm native, threads 1, pp8", "LayerNorm 256", "between the operations", "GB/s", "waiting"} {
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
		{"--profile -o bench", "have no form for benchstat"},
		{"-r 0", "--repetitions 0"},
		{"--norm native,nope", `no norm mode "nope"`},
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
