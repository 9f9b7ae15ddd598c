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
	case !hf.Is(path):
		return fmt.Errorf("%s is no folder with a config.json, which --format safetensors reads", path)
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
	e, err := await(ctx, func() (*hf.Export, error) { return hf.PrepareExport(ctx, path, options) })
	var refusal *fold.Refusal
	if o.export.value == "auto" && errors.As(err, &refusal) {
		options.As = ""
		e, err = await(ctx, func() (*hf.Export, error) { return hf.PrepareExport(ctx, path, options) })
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
	r.File = o.out
	return o.tell(ctx, w, path, r)
}
