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
		"chat --version":          "unknown flag --version; here: infer version",
		"-hf org/repo":            "unknown flag -hf; here: infer pull hf:ORG/REPO fetches a model, infer hf:ORG/REPO runs it",
		"-cnv -m x.gguf":          "unknown flag -cnv; here: infer chat MODEL",
		"-no-cnv":                 "unknown flag -no-cnv; here: leave it out; infer MODEL continues a text",
		"-sys hello":              "unknown flag -sys; here: --system",
		"-fa on":                  "unknown flag -fa; here: leave it out; infer chooses",
		"-ctk q8_0":               "unknown flag -ctk; here: --kv",
		"-tb 4":                   "unknown flag -tb; here: --threads",
		"--lora x.gguf":           "unknown flag --lora; here: adapters are not applied; merge it into its model first",
		"rm x":                    `no file or command "rm"; here: the stores are read only; infer list shows what is in them`,
		"perplexity --ctx-size 5": "unknown flag --ctx-size; here: --ctx",
		"ls":                      `no file or command "ls"; here: infer list`,
		"show x":                  `no file or command "show"; here: infer inspect MODEL`,
	} {
		err := execute(t.Context(), newRoot(), strings.Fields(line))
		if err == nil || err.Error() != want {
			t.Errorf("infer %s: %v, want %q", line, err, want)
		}
	}
}
