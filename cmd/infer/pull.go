package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/normswap/normswap/report"
	"github.com/normswap/normswap/store"
	"github.com/spf13/cobra"
)

func newPull() *cobra.Command {
	return &cobra.Command{
		Use:   "pull hf:ORG/REPO[@REVISION][:FILE]",
		Short: "Fetch a model from Hugging Face",
		Long: `pull fetches a model from Hugging Face into its cache (HF_HOME), where
transformers finds it too: the folder of safetensors, or a file in GGUF. FILE
is the name of that or a part of it, such as Q4_K_M. Every file is checked by
its size and sum; what was broken off goes on where it was.

HF_TOKEN says who asks, for models whose license has to be accepted first;
HF_ENDPOINT names another server.`,
		Example: `  infer pull hf:EleutherAI/pythia-160m
  infer pull hf:EleutherAI/pythia-160m@step1000
  infer pull hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:q8_0`,
		Args: exactArgs("a name such as hf:ORG/REPO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := store.ParseRef(args[0])
			if err != nil {
				return usagef("%w", err)
			}
			progress, end := track(bytesUnit, ref.String())
			defer end()
			path, err := store.DefaultHub().Pull(cmd.Context(), ref, progress)
			if err != nil {
				return err
			}
			end()
			note("%s is there; infer %s runs it", ref, ref)
			_, err = fmt.Fprintln(stdout, path)
			return err
		},
	}
}

func newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the models of Ollama and of Hugging Face on this machine",
		Long: `list shows the models in Ollama's store (OLLAMA_MODELS) and in Hugging Face's
cache (HF_HOME). Commands take their names in place of a file.`,
		Example: "  infer list\n  infer list --json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			all := store.List()
			if asJSON {
				return printJSON(stdout, all)
			}
			if len(all) == 0 {
				note("there is none; infer pull hf:ORG/REPO fetches one")
				return nil
			}
			t := report.Table{Columns: []report.Column{{Key: "name", Left: true}, {Key: "size"}, {Key: "modified", Left: true}}}
			for _, m := range all {
				t.Add(m.Name, bytesText(float64(m.Bytes)), m.Modified.Format(time.DateOnly))
			}
			return writeTable(stdout, &t, tableFormat(false))
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

// located returns the path of a model: one that is there, or what its name stands
// for in a store.
func located(name string) (string, error) {
	if name == "" || exists(name) {
		return name, nil
	}
	path, err := store.Find(name)
	switch {
	case err == nil:
		return path, nil
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	if ref, err := store.ParseRef(name); err == nil && ref.String() == name {
		return "", fmt.Errorf("%s is not on this machine; infer pull %s fetches it", name, name)
	}
	return "", fmt.Errorf("no file %s; %s", name, modelsIn(filepath.Dir(name)))
}

// found reports whether a model or a file has the name.
func found(name string) bool {
	path, err := located(name)
	return err == nil && path != ""
}
