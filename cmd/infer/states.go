package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/whole"
	"github.com/spf13/cobra"
)

type statesFlags struct {
	corpus
	sites, out string
	stage      choice
	force      bool
	json       bool
}

// A stateFile is what infer states --json prints of a file.
type stateFile struct {
	File  string `json:"file"`
	Site  string `json:"site"`
	Stage string `json:"stage"`
	Shape [2]int `json:"shape"` // tokens and width
}

func newStates() *cobra.Command {
	var o statesFlags
	cmd := &cobra.Command{
		Use:   "states [MODEL] -o FILE.npy",
		Short: "Write the hidden vectors around norms as NumPy arrays",
		Long: `states reads a text with a model and writes the vectors at one stage of its
norms: what goes in, what is standardised (before gain and bias), or what comes
out. A file is an array of NumPy's format, float32 [tokens, width], in the order
of the text, of which an encoder reads a line at once. Norms on queries and keys
have their heads side by side.

Several norms give a file each, with the norm's name before .npy: of
states.npy, states.blk.0.attn_norm.npy and so on. states.json lists them; it is
written last, and is there only when all of them are.`,
		Example: `  infer states model.gguf --sites output_norm -o final.npy
  infer states model.gguf -f text.txt --sites ln1 --stage out -o states.npy
  python -c 'import numpy; print(numpy.load("final.npy").shape)'`,
		Args:              atMostOneModel,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.out == "" {
				return usagef("states needs -o: the file to write, or - for stdout")
			}
			if o.out == "-" && o.json {
				return usagef("--json and the vectors cannot both go to stdout; name a file with -o")
			}
			if err := o.check(); err != nil {
				return err
			}
			return o.dump(cmd.Context(), modelArg(args))
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	addSites(cmd, &o.sites)
	addChoice(cmd, &o.stage, "stage", "in", "`stage` of the norm: in, std (before gain and bias) or out", "in", "std", "out")
	f.StringVarP(&o.out, "out", "o", "", "the `file` to write; -: stdout, for one norm")
	f.BoolVar(&o.force, "force", false, "replace files that are there")
	f.BoolVar(&o.json, "json", false, "print which files were written, with their shapes, as JSON")
	return cmd
}

func (o *statesFlags) dump(ctx context.Context, path string) error {
	if err := o.read(ctx); err != nil {
		return err
	}
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	norms, err := selectSites(m.Arch, o.sites)
	if err != nil {
		return err
	}
	if o.out == "-" && len(norms) > 1 {
		return usagef("%d norms do not go to stdout together; choose one with --sites", len(norms))
	}
	w, err := await(ctx, func() (*windows, error) { return o.windows(ctx, m) })
	if err != nil {
		return fmt.Errorf("%s: %w", modelName(path), err)
	}
	files := make([]stateFile, len(norms))
	for i, n := range norms {
		files[i] = stateFile{o.path(n, len(norms)), n.Site, o.stage.value, [2]int{len(w.ids), n.Width * n.Groups}}
	}
	if len(norms) == 1 {
		err = writeFile(ctx, o.out, o.force, func(out io.Writer) error { return o.fill(ctx, m, w, norms, []io.Writer{out}) })
	} else {
		err = o.writeSet(ctx, m, w, norms, files)
	}
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(stdout, files)
	}
	for _, f := range files {
		if o.out != "-" {
			note("%s: %d x %d, %s of %s", f.File, f.Shape[0], f.Shape[1], f.Stage, f.Site)
		}
	}
	return nil
}

// path is that of the file of one of several norms.
func (o *statesFlags) path(n *arch.Norm, norms int) string {
	if norms == 1 {
		return o.out
	}
	return strings.TrimSuffix(o.out, ".npy") + "." + n.Site + ".npy"
}

// writeSet writes the files of several norms, and the list of them.
func (o *statesFlags) writeSet(ctx context.Context, m *engine.Model, w *windows, norms []*arch.Norm, files []stateFile) error {
	manifest := strings.TrimSuffix(o.out, ".npy") + ".json"
	for _, f := range append([]stateFile{{File: manifest}}, files...) {
		if _, err := checkTarget(f.File, o.force); err != nil {
			return err
		}
	}
	return whole.Files(ctx, filepath.Dir(manifest), filepath.Base(manifest), func(temp string) error {
		out := make([]io.Writer, len(files))
		for i, f := range files {
			file, err := os.Create(filepath.Join(temp, filepath.Base(f.File)))
			if err != nil {
				return err
			}
			defer file.Close() // its errors come with those of sync
			out[i] = bufio.NewWriter(file)
		}
		if err := o.fill(ctx, m, w, norms, out); err != nil {
			return err
		}
		for _, b := range out {
			if err := b.(*bufio.Writer).Flush(); err != nil {
				return err
			}
		}
		list := slices.Clone(files)
		for i := range list {
			list[i].File = filepath.Base(list[i].File)
		}
		var text bytes.Buffer
		if err := printJSON(&text, list); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(temp, filepath.Base(manifest)), text.Bytes(), 0o666)
	})
}

// fill runs the model and writes what it sees.
func (o *statesFlags) fill(ctx context.Context, m *engine.Model, w *windows, norms []*arch.Norm, out []io.Writer) error {
	to := map[*arch.Norm]io.Writer{}
	for i, n := range norms {
		to[n] = out[i]
		if _, err := out[i].Write(npyHeader(len(w.ids), n.Width*n.Groups)); err != nil {
			return err
		}
	}
	var failed error
	var buf []byte
	tap := engine.Tap{
		Std: o.stage.value == engine.Std.String(),
		Func: func(h engine.Hidden) {
			if h.Stage.String() != o.stage.value || failed != nil {
				return
			}
			buf = buf[:0]
			for _, v := range h.Rows {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			_, failed = to[h.Site].Write(buf)
		},
	}
	all := func(int) bool { return true }
	if _, err := o.run(ctx, m, w, all, norms, tap, func(int) {}); err != nil {
		return err
	}
	return failed
}

// npyHeader is the head of a NumPy array of float32, little-endian, rows
// first: format 1.0 of numpy.lib.format, padded to a multiple of 64 bytes.
func npyHeader(rows, columns int) []byte {
	const fixed, align = 10, 64
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns)
	size := fixed + len(text) + 1
	text += strings.Repeat(" ", (align-size%align)%align) + "\n"
	head := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(head[8:], uint16(len(text)))
	return append(head, text...)
}
