package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/report"
	"github.com/normswap/normswap/tokenizer"
	"github.com/spf13/cobra"
)

func newInspect() *cobra.Command {
	var asJSON, norms bool
	cmd := &cobra.Command{
		Use:   "inspect [MODEL]",
		Short: "Show a file's metadata, its tensors and its norms",
		Long: `inspect shows what is in a GGUF file: the metadata, the norms of the graph and
the tensors, and the memory that running it takes. It also reads files that
cannot be run, and says why they cannot. Of a file behind http:// or https:// it
reads the header alone. With --json nothing is shortened.

--norms reads the weights instead and says whether the file is what it says: how
much of what each matrix writes to the residual stream lies along the uniform
vector, beside chance, and what that tells of the norm it was trained with: a
fold, a fold left half done, weights that were centered though nothing asked for
it, a LayerNorm model that runs RMSNorm.`,
		Example:           "  infer inspect model.gguf\n  infer inspect model.gguf --norms\n  infer inspect model.gguf --json | jq .metadata\n  infer inspect https://example.org/model.gguf",
		Args:              atMostOneModel,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := modelArg(args)
			open := openFile
			if isURL(path) {
				if norms {
					return usagef("--norms reads the weights, and of %s only the header is read", path)
				}
				open = func(url string) (*gguf.File, error) { return openURL(cmd.Context(), url) }
			}
			f, err := open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			if norms {
				return examine(cmd.Context(), stdout, path, f, asJSON)
			}
			in := inspect(cmp.Or(path, tales.Name), f)
			if asJSON {
				return printJSON(stdout, in)
			}
			return in.write(stdout, f)
		},
	}
	cmd.Flags().BoolVar(&norms, "norms", false, "say whether the file is what it says, from the means of what its weights write")
	addJSON(cmd, &asJSON)
	return cmd
}

// examine prints whether a file is what it says.
func examine(ctx context.Context, w io.Writer, path string, f *gguf.File, asJSON bool) error {
	m, err := arch.Load(f)
	if err != nil {
		return runnable(err)
	}
	found, err := fold.Examine(ctx, f, m)
	if err != nil {
		return err
	}
	name := modelName(path)
	if asJSON {
		sum, err := hashSource(ctx, f)
		if err != nil {
			return err
		}
		return plain.WriteJSON(w, struct {
			Version  string `json:"version"`
			Model    string `json:"model"`
			ModelSum string `json:"model_sha256"`
			Arch     string `json:"architecture"`
			*fold.Examination
		}{versionName(), name, sum, m.Spec.Name, found}, " ")
	}
	t := &report.Table{
		Title: fmt.Sprintf("%s, %s: energy along the uniform vector of what the weights write to the residual stream", name, m.Spec.Name),
		Columns: []report.Column{{Key: "tensor", Left: true}, {Key: "type", Left: true}, {Key: "energy_share", Name: "share of energy", Format: "%.2e"},
			{Key: "chance", Format: "%.2e"}, {Key: "ratio", Name: "share/chance", Format: "%.2g"}, {Key: "centered", Left: true}},
		Notes: []string{"", found.Verdict},
	}
	for _, x := range found.Writers {
		t.Add(x.Tensor, x.Type, x.Share, x.Chance, x.Share/x.Chance, x.Centered)
	}
	return writeTable(w, t, report.Text)
}

// An inspection is what infer inspect prints as JSON.
type inspection struct {
	Path         string           `json:"path"`
	Version      uint32           `json:"gguf_version"`
	Alignment    int              `json:"alignment"`
	Bytes        int64            `json:"tensor_bytes"`
	Parameters   int64            `json:"parameters"`
	Architecture string           `json:"architecture,omitempty"`
	Model        *hyper           `json:"model,omitempty"`
	Memory       *engine.Estimate `json:"memory,omitempty"`
	NotRunnable  string           `json:"not_runnable,omitempty"` // the reason
	ChatTemplate bool             `json:"chat_template"`
	Metadata     map[string]any   `json:"metadata"`
	Norms        []normSite       `json:"norms"`
	Tensors      []tensorInfo     `json:"tensors"`
}

type hyper struct {
	Dim     int     `json:"dim"`
	Layers  int     `json:"layers"`
	Heads   int     `json:"heads"`
	KVHeads int     `json:"kv_heads"`
	HeadDim int     `json:"head_dim"`
	FFN     int     `json:"ffn"`
	Vocab   int     `json:"vocab"`
	Context int     `json:"context"`
	Eps     float32 `json:"eps"`
	Tied    bool    `json:"tied_head"`
}

type normSite struct {
	Site     string `json:"site"`
	Layer    int    `json:"layer"` // -1 outside the blocks
	Kind     string `json:"kind"`
	Width    int    `json:"width"`
	Groups   int    `json:"groups"`
	Gain     bool   `json:"gain"`
	Bias     bool   `json:"bias"`
	Residual bool   `json:"residual"` // it reads the residual stream
}

type tensorInfo struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Dims   []int  `json:"dims"`
	Offset int64  `json:"offset"`
	Bytes  int    `json:"bytes"`
}

func inspect(path string, f *gguf.File) *inspection {
	in := &inspection{Path: path, Version: f.Version, Alignment: f.Alignment, Parameters: arch.Parameters(f),
		Metadata: map[string]any{}, Norms: []normSite{}, Tensors: []tensorInfo{}}
	in.Architecture, _ = gguf.Get[string](&f.Meta, arch.KeyArchitecture)
	template, _ := gguf.Get[string](&f.Meta, tokenizer.KeyChatTemplate)
	in.ChatTemplate = template != ""
	for _, kv := range f.Meta.All() {
		in.Metadata[kv.Key] = jsonValue(kv.Value)
	}
	for i := range f.Tensors {
		t := &f.Tensors[i]
		in.Bytes += int64(t.Size())
		in.Tensors = append(in.Tensors, tensorInfo{t.Name, t.Type.String(), t.Dims, t.Offset, t.Size()})
	}
	m, err := arch.Load(f)
	if len(f.Tensors) == 0 {
		err = fmt.Errorf("it has no tensors")
	}
	if err != nil {
		in.NotRunnable = err.Error()
		return in
	}
	in.Model = &hyper{m.Dim, m.Layers, m.Heads, m.KVHeads, m.HeadDim, m.FFN, m.Vocab, m.Context, m.Eps, m.Tied}
	memory := engine.EstimateMemory(f, m, 0)
	in.Memory = &memory
	for _, n := range m.Norms() {
		in.Norms = append(in.Norms, normSite{n.Site, n.Layer, n.Kind.String(), n.Width, n.Groups, n.Gain != nil, n.Bias != nil, n.Residual})
	}
	return in
}

// jsonValue makes a metadata value one that JSON can hold: NaN and the
// infinities become strings.
func jsonValue(v any) any {
	float := func(x float64) any {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Sprint(x)
		}
		return v
	}
	each := func(n int, at func(i int) float64) any {
		all := make([]any, n)
		for i := range all {
			all[i] = at(i)
			if x := at(i); math.IsNaN(x) || math.IsInf(x, 0) {
				all[i] = fmt.Sprint(x)
			}
		}
		return all
	}
	switch x := v.(type) {
	case float32:
		return float(float64(x))
	case float64:
		return float(x)
	case []float32:
		return each(len(x), func(i int) float64 { return float64(x[i]) })
	case []float64:
		return each(len(x), func(i int) float64 { return x[i] })
	case []uint8: // JSON would make it base64
		return each(len(x), func(i int) float64 { return float64(x[i]) })
	}
	return v
}

func (in *inspection) write(w io.Writer, f *gguf.File) error {
	fmt.Fprintf(w, "%s\n", plain.Line(in.Path))
	fmt.Fprintf(w, "GGUF %d, architecture %s, %s parameters, %s of tensors: %s\n\n", in.Version,
		plain.Line(in.Architecture), countText(float64(in.Parameters)), bytesText(float64(in.Bytes)), in.types())
	if m := in.Model; m != nil {
		fmt.Fprintf(w, "%d layers, dim %d, %d heads of %d (%d for keys and values), FFN %d, vocabulary %d, context %d\n\n",
			m.Layers, m.Dim, m.Heads, m.HeadDim, m.KVHeads, m.FFN, m.Vocab, m.Context)
		fmt.Fprintf(w, "Running it takes %s for weights", bytesText(float64(in.Memory.Weights)))
		if e := in.Memory; e.Cache > 0 {
			fmt.Fprintf(w, " and up to %s for %d positions (%s with --kv f16)", bytesText(float64(e.Cache)), e.Positions, bytesText(float64(e.HalfCache)))
		}
		fmt.Fprint(w, "\n\n")
	} else {
		fmt.Fprintf(w, "It cannot be run: %s\n\n", plain.Line(in.NotRunnable))
	}
	if in.ChatTemplate {
		fmt.Fprintf(w, "It has a chat template: --chat uses it, and infer template shows what it makes of a conversation.\n\n")
	}
	meta := report.Table{Title: fmt.Sprintf("Metadata: %d keys", f.Meta.Len()),
		Columns: []report.Column{{Key: "key", Left: true}, {Key: "value", Left: true}}}
	for _, kv := range f.Meta.All() {
		meta.Add(kv.Key, shortValue(kv.Value))
	}
	norms := report.Table{Title: fmt.Sprintf("Norms: %d sites", len(in.Norms)), Columns: []report.Column{
		{Key: "site", Left: true}, {Key: "kind", Left: true}, {Key: "width"}, {Key: "groups"},
		{Key: "gain", Left: true}, {Key: "bias", Left: true}, {Key: "reads", Left: true}}}
	for _, n := range in.Norms {
		reads := "a branch"
		if n.Residual {
			reads = "the residual stream"
		}
		norms.Add(n.Site, n.Kind, n.Width, n.Groups, n.Gain, n.Bias, reads)
	}
	tensors := report.Table{Title: fmt.Sprintf("Tensors: %d", len(in.Tensors)), Columns: []report.Column{
		{Key: "name", Left: true}, {Key: "type", Left: true}, {Key: "dims", Name: "row x rows", Left: true}, {Key: "size"}, {Key: "offset"}}}
	for _, t := range in.Tensors {
		tensors.Add(t.Name, t.Type, strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Dims), " ", " x "), "[]"), bytesText(float64(t.Bytes)), t.Offset)
	}
	for _, t := range []*report.Table{&meta, &norms, &tensors} {
		if len(t.Rows) == 0 {
			continue
		}
		if err := writeTable(w, t, report.Text); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// types says how many tensors there are of each type.
func (in *inspection) types() string {
	count := map[string]int{}
	var names []string
	for _, t := range in.Tensors {
		if count[t.Type] == 0 {
			names = append(names, t.Type)
		}
		count[t.Type]++
	}
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	for i, n := range names {
		names[i] = fmt.Sprintf("%d in %s", count[n], n)
	}
	return strings.Join(names, ", ")
}

// shortValue shows a metadata value in a line: of long ones the beginning.
func shortValue(v any) string {
	const long, items = 72, 5
	quote := func(v any) string {
		s, ok := v.(string)
		if !ok {
			return fmt.Sprint(v)
		}
		if len(s) > long {
			return fmt.Sprintf("%.*q... (%d bytes)", long, s, len(s))
		}
		return fmt.Sprintf("%q", s)
	}
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice {
		if s := quote(v); strings.Contains(s, `\`) || strings.HasSuffix(s, ")") {
			return s
		} else {
			return strings.Trim(s, `"`)
		}
	}
	var shown []string
	for i := range min(list.Len(), items) {
		shown = append(shown, quote(list.Index(i).Interface()))
	}
	if list.Len() > items {
		shown = append(shown, "...")
	}
	return fmt.Sprintf("[%s] (%d)", strings.Join(shown, ", "), list.Len())
}
