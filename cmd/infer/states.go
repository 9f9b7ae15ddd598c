package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/whole"
	"github.com/spf13/cobra"
)

type statesFlags struct {
	textFlags
	sites, out string
	stage      choice
	force      bool
	json       bool
}

// A statesReport is what infer states --json prints, and the list of the files.
type statesReport struct {
	provenance
	Window int         `json:"window"` // tokens, the most of one
	Cache  string      `json:"kv"`
	Tokens string      `json:"tokens"` // the table of the rows
	Files  []stateFile `json:"files"`
}

// A stateFile is an array.
type stateFile struct {
	File  string `json:"file"`
	Site  string `json:"site"`
	Layer int    `json:"layer"` // -1 outside the blocks
	Role  string `json:"role,omitempty"`
	Stage string `json:"stage"`
	Shape [2]int `json:"shape"` // tokens and width

	norm *arch.Norm // nil: a part of a block
}

func newStates() *cobra.Command {
	var o statesFlags
	cmd := &cobra.Command{
		Use:   "states [MODEL] -o FILE.npy",
		Short: "Write hidden vectors and the residual stream as NumPy arrays",
		Long: `states reads a text with a model and writes the vectors at one stage of its
norms: what goes in, what is standardised (before gain and bias), or what comes
out; or a part of its blocks: what attention or ffn adds to the residual stream,
or the stream behind them (its sites are embd, blk.0, blk.1 and so on). A file is an array of NumPy's format, float32 [tokens, width], in the order
of the text, of which an encoder reads a line at once. Norms on queries and keys
have their heads side by side.

Several sites give a file each, with the site's name before .npy: of states.npy,
states.blk.0.attn_norm.npy and so on. states.tokens.csv says what each row is of:
window, position, token id and text. states.json lists the files and how they
were made; it is written last, and is there only when all of them are.`,
		Example: `  infer states model.gguf --sites output_norm -o final.npy
  infer states model.gguf -f text.txt --sites ln1 --stage out -o states.npy
  infer states model.gguf -f text.txt --stage stream --sites 0-3 -o stream.npy
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
	addChoice(cmd, &o.stage, "stage", "in", "`stage` of the norm: in, std (before gain and bias) or out; or what a block adds: attention, ffn; or stream", stateStages...)
	f.StringVarP(&o.out, "out", "o", "", "the `file` to write; -: stdout, for one norm")
	f.BoolVar(&o.force, "force", false, "replace files that are there")
	f.BoolVar(&o.json, "json", false, "print which files were written, with their shapes, as JSON")
	return cmd
}

// stateStages are those of norms, and the parts of blocks.
var stateStages = []string{
	engine.In.String(), engine.Std.String(), engine.Out.String(), engine.Attention.String(), engine.FFN.String(), engine.Stream.String(),
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
	files, err := o.files(m.Arch)
	if err != nil {
		return err
	}
	device := false
	if info, err := os.Stat(o.out); err == nil {
		device = !info.Mode().IsRegular()
	}
	bare := o.out == "-" || device // the vectors alone
	if bare && len(files) > 1 {
		return usagef("%d sites do not go to one file such as stdout; choose one with --sites", len(files))
	}
	w, err := o.windows(ctx, m)
	if err != nil {
		return fmt.Errorf("%s: %w", modelName(path), err)
	}
	for i := range files {
		files[i].Shape[0] = len(w.ids)
		if len(files) > 1 {
			files[i].File = o.stem() + "." + files[i].Site + ".npy"
		}
	}
	r := &statesReport{
		provenance: provenance{
			Kind: "states", Version: versionName(), Model: modelName(path), Arch: m.Arch.Spec.Name, Norm: o.norm.value,
			Text: w.name, IDs: w.sum, Activations: o.act.value,
		},
		Window: w.size, Cache: o.kv.value, Tokens: o.stem() + ".tokens.csv", Files: files,
	}
	if bare {
		r.Tokens = ""
		err = writeFile(ctx, o.out, o.force, func(out io.Writer) error { return o.fill(ctx, m, w, files, []io.Writer{out}) })
	} else if r.ModelSum, err = hashSource(ctx, m.File); err == nil {
		err = o.writeSet(ctx, m, w, r)
	}
	if err != nil {
		return err
	}
	if o.json {
		return plain.WriteJSON(stdout, r, " ")
	}
	for _, f := range files {
		if o.out != "-" {
			note("%s: %d x %d, %s of %s", f.File, f.Shape[0], f.Shape[1], f.Stage, f.Site)
		}
	}
	return nil
}

// stem is the name of the files without its end.
func (o *statesFlags) stem() string { return strings.TrimSuffix(o.out, ".npy") }

// files are the sites that --sites names: norms, or blocks and the embedding.
func (o *statesFlags) files(a *arch.Model) ([]stateFile, error) {
	var files []stateFile
	if slices.Index(stateStages, o.stage.value) <= int(engine.Out) {
		norms, err := selectSites(a, o.sites)
		if err != nil {
			return nil, err
		}
		for _, n := range norms {
			files = append(files, stateFile{o.out, n.Site, n.Layer, string(n.Role), o.stage.value, [2]int{0, n.Width * n.Groups}, n})
		}
		return files, nil
	}
	first := 0
	if o.stage.value == engine.Stream.String() {
		first = -1
	}
	for layer := first; layer < a.Layers; layer++ {
		files = append(files, stateFile{o.out, blockSite(layer), layer, "", o.stage.value, [2]int{0, a.Dim}, nil})
	}
	if o.sites == "" {
		return files, nil
	}
	chosen := map[string]bool{}
	for item := range strings.SplitSeq(o.sites, ",") {
		item = strings.TrimSpace(item)
		in := func(n *arch.Norm) bool { return false }
		if item != "" && strings.Trim(item, "0123456789-") == "" {
			var err error
			if in, err = engine.ParseNormSites(item, a.Layers); err != nil {
				return nil, usagef("--sites: layers %s: the model has layers 0-%d", item, a.Layers-1)
			}
		}
		found := false
		for _, f := range files {
			if f.Site == item || f.Layer >= 0 && in(&arch.Norm{Layer: f.Layer}) {
				chosen[f.Site], found = true, true
			}
		}
		if !found {
			return nil, usagef("--sites: %q has no %s; its sites are %s to %s, or layers such as 0-%d", item, o.stage.value, files[0].Site, files[len(files)-1].Site, a.Layers-1)
		}
	}
	return slices.DeleteFunc(files, func(f stateFile) bool { return !chosen[f.Site] }), nil
}

const embeddingSite = "embd" // where the stream begins

// blockSite is the name of a block among the sites.
func blockSite(layer int) string {
	if layer < 0 {
		return embeddingSite
	}
	return arch.BlockName(layer)
}

// writeSet writes the arrays, the table of their rows, and the list of them.
func (o *statesFlags) writeSet(ctx context.Context, m *engine.Model, w *windows, r *statesReport) error {
	manifest := o.stem() + ".json"
	var names []string
	for _, f := range r.Files {
		names = append(names, f.File)
	}
	for _, name := range append(names, r.Tokens, manifest) {
		if _, err := checkTarget(name, o.force); err != nil {
			return err
		}
	}
	return whole.Files(ctx, filepath.Dir(manifest), filepath.Base(manifest), func(temp string) error {
		create := func(name string, write func(w io.Writer) error) error {
			file, err := os.Create(filepath.Join(temp, filepath.Base(name)))
			if err != nil {
				return err
			}
			b := bufio.NewWriter(file)
			return cmp.Or(write(b), b.Flush(), file.Close())
		}
		var out []io.Writer
		var open func(i int) error // the files i and on, all at once
		open = func(i int) error {
			if i == len(r.Files) {
				return o.fill(ctx, m, w, r.Files, out)
			}
			return create(r.Files[i].File, func(w io.Writer) error {
				out = append(out, w)
				return open(i + 1)
			})
		}
		list := *r
		list.Files = slices.Clone(r.Files)
		for i := range list.Files {
			list.Files[i].File = filepath.Base(list.Files[i].File)
		}
		list.Tokens = filepath.Base(list.Tokens)
		return cmp.Or(
			open(0),
			create(r.Tokens, func(out io.Writer) error { return w.table(m, out) }),
			create(manifest, func(out io.Writer) error { return plain.WriteJSON(out, &list, " ") }))
	})
}

// table writes what each row of the arrays is of.
func (w *windows) table(m *engine.Model, out io.Writer) error {
	tok, err := m.Tokenizer()
	known := err == nil
	c := csv.NewWriter(out)
	row := 0
	_ = c.Write([]string{"row", "window", "position", "token", "text"}) // errors come with Error
	for i := range w.count() {
		for position, id := range w.at(i) {
			text := ""
			if known {
				text = plain.Text(strings.ToValidUTF8(tok.Piece(id), string(utf8.RuneError)))
			}
			_ = c.Write([]string{strconv.Itoa(row), strconv.Itoa(i), strconv.Itoa(position), strconv.Itoa(int(id)), text})
			row++
		}
	}
	c.Flush()
	return c.Error()
}

// fill runs the model and writes what it sees.
func (o *statesFlags) fill(ctx context.Context, m *engine.Model, w *windows, files []stateFile, out []io.Writer) error {
	to := map[string]io.Writer{}
	var norms []*arch.Norm
	for i, f := range files {
		to[f.Site] = out[i]
		if f.norm != nil {
			norms = append(norms, f.norm)
		}
		if _, err := out[i].Write(npyHeader(f.Shape[0], f.Shape[1])); err != nil {
			return err
		}
	}
	var failed error
	var buf []byte
	write := func(site, stage string, rows []float32) {
		if to[site] == nil || stage != o.stage.value || failed != nil {
			return
		}
		buf = buf[:0]
		for _, v := range rows {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		_, failed = to[site].Write(buf)
	}
	var tap engine.Tap
	if len(norms) > 0 {
		tap = engine.Tap{Std: o.stage.value == engine.Std.String(), Func: func(h engine.Hidden) { write(h.Site.Site, h.Stage.String(), h.Rows) }}
	} else {
		tap.Blocks = func(b engine.Written) { write(blockSite(b.Layer), b.Part.String(), b.Rows) }
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
