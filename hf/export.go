package hf

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// ExportOptions say what folder a fold becomes.
type ExportOptions struct {
	// Type is the type of every weight. "" keeps that of the source, and stores
	// what the fold changes as F32.
	Type string
	// As is the model_type of the folder: "" for that of the source, or "llama",
	// which OLMo can become.
	As string
	// ShardBytes is the most that a file holds, but for one of a single tensor;
	// 0: [DefaultShardBytes].
	ShardBytes int64
	// Progress, if not nil, is called with the bytes that have been written, and
	// of all.
	Progress func(done, total int64)
}

// DefaultShardBytes is what transformers puts into one file.
const DefaultShardBytes = 5_000_000_000

// An Export is a folder of transformers that a fold becomes, ready to be written.
type Export struct {
	Plan   *fold.Plan
	Report fold.Report

	b        *builder
	file     *gguf.File
	source   *gguf.File // of weights, where that is a GGUF file
	config   map[string]any
	tensors  []*exported
	untied   bool
	tokenize string // the folder that tokenizer files come from; "" if there is none
	opts     ExportOptions
}

// An exported is a tensor of the folder to be written.
type exported struct {
	name   string
	value  value
	dtype  string
	center func(x []float32) // what the fold changes; nil: nothing
}

// PrepareExport works out the folder of transformers that folding the folder dir
// becomes: every writer of the residual stream is centered, and the norms stay
// LayerNorms of the same class, which then have no mean to remove. A model that
// cannot be folded in this way is a [*fold.Refusal]. The caller closes the export.
func PrepareExport(ctx context.Context, dir string, o ExportOptions) (*Export, error) {
	b, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("hf: %s: %w", dir, err)
	}
	return b.export(ctx, dir, o)
}

// export works out the folder. It takes over the mappings of the checkpoint.
func (b *builder) export(ctx context.Context, tokenizer string, o ExportOptions) (*Export, error) {
	if _, ok := types[o.Type]; o.Type != "" && !ok {
		return nil, fmt.Errorf("hf: the type %.20q is none of F32, F16 and BF16", o.Type)
	}
	e := &Export{b: b, file: b.file(), config: maps.Clone(b.config.m), tokenize: tokenizer, opts: o}
	err := e.file.Guard(func() error { return e.prepare(ctx) })
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close releases the files of the source.
func (e *Export) Close() error { return e.file.Close() }

func (e *Export) prepare(ctx context.Context) error {
	m, err := arch.Load(e.file)
	if err != nil {
		return err
	}
	if e.Plan, err = fold.New(m); err != nil {
		return err
	}
	kind := e.b.config.string("", "model_type")
	if err := e.refuse(kind); err != nil {
		return err
	}
	e.keepFused()
	for _, name := range slices.Sorted(maps.Keys(e.b.used)) {
		v := e.b.checkpoint.tensors[name]
		e.tensors = append(e.tensors, &exported{name: e.b.fullName(name), value: v, dtype: cmp.Or(e.opts.Type, v.dtype)})
	}
	e.untie(m)
	for i := range e.Plan.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.step(&e.Plan.Steps[i]); err != nil {
			return err
		}
	}
	if e.opts.As == "llama" {
		e.becomeLlama(m)
	}
	key := "dtype"
	if _, old := e.config["torch_dtype"]; old {
		key = "torch_dtype"
	}
	e.config[key] = map[string]string{"": "float32", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}[e.opts.Type]
	for _, t := range e.tensors {
		n, err := t.info().Bytes()
		if err != nil {
			return err
		}
		e.Report.Bytes += n
	}
	e.Report.Source, e.Report.Arch = kind, cmp.Or(e.opts.As, kind)
	for _, s := range e.Plan.Steps {
		e.Report.Steps = append(e.Report.Steps, s.String())
	}
	return nil
}

// refuse returns why the fold cannot be written as a folder.
func (e *Export) refuse(kind string) error {
	no := func(format string, args ...any) error {
		return &fold.Refusal{Arch: kind, Reason: fmt.Sprintf(format, args...)}
	}
	for _, s := range e.Plan.Steps {
		switch s.Action {
		case fold.CenterOutput:
			return no("%s writes the residual stream, and no checkpoint can say that its output is to be centered; the engine can fold it as it runs", s.Target)
		case fold.CenterStream:
			return no("its first layer reads the residual stream without a norm, so that the stream would have to be centered behind it; the engine can do that as it runs")
		case fold.CenterRows:
			if len(e.b.sourcesOf(s.Target)) == 0 {
				return no("transformers computes its %s, which no checkpoint holds", s.Target)
			}
		}
	}
	switch {
	case e.opts.As == "":
		return nil
	case e.opts.As != "llama":
		return no("there is no way to the model_type %.40q, only to llama", e.opts.As)
	case kind != "olmo":
		return no("LlamaForCausalLM does not compute what it does behind a fold: of the families with LayerNorm only olmo has Llama's blocks without a bias")
	case e.b.has("clip_qkv"):
		return no("it clamps queries, keys and values (clip_qkv), which LlamaForCausalLM does not")
	}
	return nil
}

// keepFused takes from the plan the norms of queries and keys that read parts of a
// fused matrix: they stay LayerNorms, which needs no centering.
func (e *Export) keepFused() {
	fused := map[int]bool{} // by step
	for i, s := range e.Plan.Steps {
		if s.Action == fold.CenterColumns && s.Linear.Rows*max(s.Linear.Experts, 1)*s.Linear.W.Dims[0] != s.Linear.W.Items() {
			norm := e.Plan.Steps[i+1].Norm // the step behind it swaps this
			e.Plan.Kept = append(e.Plan.Kept, fold.Kept{Norm: norm, Reason: s.Target + " is a part of a fused matrix"})
			fused[i], fused[i+1] = true, true
		}
	}
	at := -1
	e.Plan.Steps = slices.DeleteFunc(e.Plan.Steps, func(fold.Step) bool { at++; return fused[at] })
}

// fullName puts the prefix of the family before the names of old folders that
// have none.
func (b *builder) fullName(name string) string {
	if b.prefix != "" || len(b.family.prefixes) == 0 {
		return name
	}
	for _, t := range b.family.tensors {
		if t.name == "output" && strings.HasPrefix(name, t.from+".") {
			return name
		}
	}
	return b.family.prefixes[0] + name
}

// find returns a tensor of the folder to be written; nil if there is none.
func (e *Export) find(name string) *exported {
	for _, t := range e.tensors {
		if t.name == name {
			return t
		}
	}
	return nil
}

// untie gives a tied head a tensor of its own, with the embedding as it was. After
// a final norm without gain and bias what the head reads has no mean, and the head
// may stay tied.
func (e *Export) untie(m *arch.Model) {
	stored := false // a head in the folder counts, even where the configuration ties it
	for _, t := range e.b.family.tensors {
		if t.name != "output" {
			continue
		}
		if e.find(t.from+".weight") != nil {
			stored = true
		} else if m.Tied && m.FinalNorm.Gain != nil {
			for _, source := range e.b.sourcesOf(arch.NameEmbed) {
				v := e.find(source.name + ".weight").value
				e.tensors = append(e.tensors, &exported{name: t.from + ".weight", value: v, dtype: cmp.Or(e.opts.Type, v.dtype)})
				e.untied, stored = true, true
			}
		}
		break
	}
	if stored {
		e.config["tie_word_embeddings"] = false
	}
}

// A source is a tensor of the folder that one of the file is made of.
type source struct {
	name   string // without suffix
	conv1D bool
}

// sourcesOf returns what the tensor of a target is made of.
func (b *builder) sourcesOf(target string) (found []source) {
	for _, t := range b.family.tensors {
		layers := 1
		if strings.Contains(t.name, "%d") {
			layers = b.layers
		}
		for i := range layers {
			if inLayer(t.name, i) != target {
				continue
			}
			for _, from := range b.sources(t, i) {
				for _, name := range []string{b.prefix + inLayer(from, i), inLayer(from, i)} {
					if b.used[name+".weight"] {
						found = append(found, source{b.fullName(name), t.conv1D})
						break
					}
				}
			}
		}
	}
	return found
}

// step adds what a step of the plan changes.
func (e *Export) step(s *fold.Step) error {
	if s.Action != fold.CenterRows && s.Action != fold.CenterColumns {
		return nil
	}
	s.Measured = new(fold.Means)
	sources := e.b.sourcesOf(s.Target)
	if len(sources) == 0 {
		return fmt.Errorf("hf: nothing in the folder is known to be %s", s.Target)
	}
	for _, from := range sources {
		w := e.find(from.name + ".weight")
		if len(w.value.shape) != 2 {
			return fmt.Errorf("hf: tensor %s has the shape %d, want a matrix", w.name, w.value.shape)
		}
		rows, cols := w.value.shape[0], w.value.shape[1]
		byRow := s.Action == fold.CenterRows
		if from.conv1D { // y = x W: an output is a column
			byRow = true
		}
		centered := func(x []float32, found *fold.Means) {
			if byRow {
				for r := range rows {
					centerGroups(x[r*cols:][:cols], max(s.Groups, 1), 1, found)
				}
				return
			}
			for c := range cols {
				centerGroups(x[c:], max(s.Groups, 1), cols, found)
			}
		}
		if err := e.change(w, s.Measured, centered); err != nil {
			return err
		}
		if b := e.find(from.name + ".bias"); b != nil && s.Action == fold.CenterColumns {
			err := e.change(b, s.Measured, func(x []float32, found *fold.Means) { centerGroups(x, s.Groups, 1, found) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// change notes how a tensor is changed, and measures the change.
func (e *Export) change(t *exported, found *fold.Means, center func(x []float32, found *fold.Means)) error {
	t.dtype = cmp.Or(e.opts.Type, "F32")
	t.center = func(x []float32) { center(x, nil) }
	x, err := t.value.floats()
	if err != nil {
		return fmt.Errorf("hf: tensor %s %w", t.name, err)
	}
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("hf: tensor %s: element %d is %v, which is not finite", t.name, i, v)
		}
	}
	center(x, found)
	data, err := t.encode(x)
	if err != nil {
		return err
	}
	stored, err := value{t.dtype, t.value.shape, data}.floats()
	if err != nil {
		return err
	}
	var wrong, all float64
	for i, v := range x {
		d := float64(stored[i]) - float64(v)
		wrong, all = wrong+d*d, all+float64(v)*float64(v)
	}
	n := float64(max(len(x), 1))
	e.Report.Changed = append(e.Report.Changed, fold.Changed{Name: t.name, From: t.value.dtype, To: t.dtype, RMSE: math.Sqrt(wrong / n), RMS: math.Sqrt(all / n)})
	var left fold.Means
	center(stored, &left)
	e.Report.LargestMean = max(e.Report.LargestMean, left.Largest)
	return nil
}

// centerGroups centers each of some equal groups of the elements x[0], x[stride],
// x[2 stride], ...; found may be nil.
func centerGroups(x []float32, groups, stride int, found *fold.Means) {
	n := (len(x) + stride - 1) / stride / groups
	for g := range groups {
		part := x[g*n*stride:]
		sum := 0.0
		for i := range n {
			sum += float64(part[i*stride])
		}
		mean := sum / float64(n)
		if found != nil {
			found.Add(mean)
		}
		for i := range n {
			part[i*stride] = float32(float64(part[i*stride]) - mean)
		}
	}
}

// data returns the bytes to be written.
func (t *exported) data() ([]byte, error) {
	if t.center == nil && t.dtype == t.value.dtype {
		return t.value.data, nil
	}
	x, err := t.value.floats()
	if err != nil {
		return nil, fmt.Errorf("hf: tensor %s %w", t.name, err)
	}
	if t.center != nil {
		t.center(x)
	}
	return t.encode(x)
}

// encode stores numbers in the tensor's type; a number that the type cannot hold
// is an error.
func (t *exported) encode(x []float32) ([]byte, error) {
	typ := types[t.dtype]
	size, err := typ.RowBytes(len(x))
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if err := quant.Encode(data, typ, x); err != nil {
		return nil, fmt.Errorf("hf: tensor %s cannot be stored as %s: %w", t.name, t.dtype, err)
	}
	return data, nil
}
