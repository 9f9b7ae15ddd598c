package main

import (
	"strings"
	"testing"
)

// What people type elsewhere is answered by what they type here.
func TestOtherPrograms(t *testing.T) {
	for line, want := range map[string]string{
		"-m x.gguf":               "unknown flag -m; here: the model needs no flag: infer MODEL.gguf",
		"--model x.gguf":          "unknown flag --model; here: the model needs no flag: infer MODEL.gguf",
		"-c 512":                  "unknown flag -c; here: --ctx",
		"-s 1":                    "unknown flag -s; here: --seed",
		"-ngl 99":                 "unknown flag -ngl; here: infer runs on the CPU",
		"--version":               "unknown flag --version; here: infer version",
		"perplexity --ctx-size 5": "unknown flag --ctx-size; here: --ctx",
		"ls":                      `no file or command "ls"; here: infer list`,
		"show x":                  `no file or command "show"; here: infer inspect MODEL.gguf`,
	} {
		root := newRoot()
		root.SetArgs(strings.Fields(line))
		err := root.ExecuteContext(t.Context())
		if err == nil || err.Error() != want {
			t.Errorf("infer %s: %v, want %q", line, err, want)
		}
	}
}
