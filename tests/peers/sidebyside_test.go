package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSideBySide runs programs that print figures at once: of llama.cpp's ways to load a
// model the better one counts, test by test, and a missing figure voids the comparison.
func TestSideBySide(t *testing.T) {
	t.Setenv("PEER_DIR", "")
	dir := t.TempDir()
	program := func(name, script string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	figure := func(test string, tps int, more string) string {
		return fmt.Sprintf("echo '{\"test\":%q,\"avg_ts\":%d%s}'\n", test, tps, more)
	}
	program("peer", `case "$*" in *"--load none -fa on"*)`+"\n"+figure("pp8 @ d3", 90, "")+figure("tg4 @ d3", 40, "")+
		`;; *"--load mmap -fa on"*)`+"\n"+figure("pp8 @ d3", 100, "")+figure("tg4 @ d3", 20, "")+";; esac\n")
	program("infer", figure("pp8 @ d3", 200, "")+figure("tg4 @ d3", 60, `,"of_reading_percent":75`))
	defer func(before string) { programs = before }(programs)
	programs = dir

	w := workload{prompt: 8, gen: 4, depth: 3, pairs: 5, loads: []string{"mmap", "none"}, flash: "on"}
	rows, err := sideBySide("folder/toy.gguf", 2, w)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for i, want := range []string{
		"| toy | 2 | pp8 @ d3 | 100.0 | mmap | 200.0 | 2.00 | 2.00..2.00 | infer faster | - |",
		"| toy | 2 | tg4 @ d3 | 40.0 | none | 60.0 | 1.50 | 1.50..1.50 | infer faster | 50 / 75 % |",
	} {
		if !strings.HasPrefix(rows[i], want) {
			t.Errorf("%s\nwant %s", rows[i], want)
		}
	}
	program("infer", figure("pp8 @ d3", 200, ""))
	if _, err := sideBySide("toy.gguf", 2, w); err == nil || !strings.Contains(err.Error(), "gave no figure for tg4 @ d3") {
		t.Error(err)
	}
	program("infer", "echo of memory >&2; exit 1")
	if _, err := sideBySide("toy.gguf", 2, w); err == nil || !strings.HasSuffix(err.Error(), "of memory") {
		t.Error(err)
	}
}
