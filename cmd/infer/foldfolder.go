package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/hf"
)

// runFolder writes a folder of transformers.
func (o *foldFlags) runFolder(ctx context.Context, w io.Writer, path string) error {
	path, err := located(path)
	switch {
	case err != nil:
		return err
	case o.gain:
		return usagef("--fold-gain is for GGUF files")
	case o.strategy.value == string(fold.Requant):
		return usagef("--strategy requant is for GGUF files; safetensors hold F32, F16 or BF16")
	case o.out == "-":
		return usagef("-o names the folder to write; a folder cannot go to stdout")
	case o.tokenizer != "" && hf.Is(path):
		return usagef("--tokenizer-from is for GGUF files; a folder has its own tokenizer")
	}
	if err := o.writeFolder(ctx, w, path); err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (o *foldFlags) writeFolder(ctx context.Context, w io.Writer, path string) error {
	if !o.plan {
		if err := hf.CheckTarget(o.out); err != nil {
			return err
		}
	}
	progress, end := track(bytesUnit, "writing")
	defer end()
	options := hf.ExportOptions{Type: o.typ.value, As: o.export.value, Progress: progress}
	if options.As == "auto" {
		options.As = "llama"
	}
	prepare := func() (*hf.Export, error) { return hf.PrepareExport(ctx, path, options) }
	if !hf.Is(path) {
		f, err := openFile(path)
		if err != nil {
			return err
		}
		defer f.Close()
		prepare = func() (*hf.Export, error) { return hf.PrepareExportGGUF(ctx, f, modelName(path), o.tokenizer, options) }
	}
	e, err := await(ctx, prepare)
	var refusal *fold.Refusal
	if o.export.value == "auto" && errors.As(err, &refusal) {
		options.As = ""
		e, err = await(ctx, prepare)
	}
	if err != nil {
		return runnable(err)
	}
	defer e.Close()
	r := &foldReport{Name: o.out, Report: e.Report}
	if o.plan {
		return o.showPlan(w, r, e.Plan)
	}
	if err := e.Write(ctx, o.out); err != nil {
		return err
	}
	end()
	if o.tokenizer == "" && !hf.Is(path) {
		note("the folder has no tokenizer; --tokenizer-from names one whose files are copied")
	}
	r.File = o.out
	return o.tell(ctx, w, path, r)
}
