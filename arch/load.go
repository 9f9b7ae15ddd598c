package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// Load binds the tensors of a file to the architecture that its metadata
// names. A tensor that is missing, misshapen or unknown to the architecture
// is an error that names it, and so is a key that would change the result and
// that nothing here implements. It is a [*NotModelError] if the file is known
// to be something else, and an [*UnknownError] if it is of another architecture.
func Load(f *gguf.File) (*Model, error) {
	if err := identify(f); err != nil {
		return nil, err
	}
	b := &binder{find: f.Tensor, used: map[string]bool{}}
	vocab := 0
	for _, name := range []string{WeightName(NameEmbed), WeightName(Head.Name(-1))} {
		if t, ok := f.Tensor(name); ok && vocab == 0 {
			vocab = t.Items() / max(t.Dims[0], 1)
		}
	}
	m, err := b.bind(&f.Meta, vocab)
	if err != nil {
		return nil, err
	}
	b.ropeTables(m)
	for _, name := range m.Spec.Unused {
		if _, ok := f.Tensor(name); ok {
			b.used[name] = true
			b.warn("the tensor %s is not used", name)
		}
	}
	b.leftover(f, m)
	m.Warnings = b.warnings
	return m, b.err
}

// Shapes returns the names and dimensions of the tensors of a model with the
// given metadata and vocabulary: those the architecture requires and, of the
// optional ones, those that want accepts. It serves to make models up.
func Shapes(meta *gguf.Meta, vocab int, want func(name string) bool) ([]gguf.Tensor, error) {
	var made []gguf.Tensor
	b := &binder{used: map[string]bool{}, want: want, made: &made}
	b.find = func(name string) (*gguf.Tensor, bool) {
		for i := range made {
			if made[i].Name == name {
				return &made[i], true
			}
		}
		return nil, false
	}
	_, err := b.bind(meta, vocab)
	return made, err
}

// specOf returns the architecture that the metadata names.
func specOf(meta *gguf.Meta) (*Spec, error) {
	name, err := gguf.Get[string](meta, KeyArchitecture)
	if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	s, ok := Lookup(name)
	if !ok {
		return nil, &UnknownError{name}
	}
	return s, nil
}

// bind reads the hyper-parameters and builds the graph.
func (b *binder) bind(meta *gguf.Meta, vocab int) (*Model, error) {
	s, err := specOf(meta)
	if err != nil {
		return nil, err
	}
	if eps, err := gguf.Get[float64](meta, s.Key(keyRMSNormEps)); err == nil && eps != 0 && s.NormByKey {
		changed := *s
		changed.Norm = RMSNorm
		s = &changed
	}
	b.spec = s
	if vocab == 0 {
		return nil, fmt.Errorf("arch: %s: missing tensor %s", s.Name, WeightName(NameEmbed))
	}
	r := &reader{meta: meta, spec: s, read: map[string]bool{}}
	h, shape := r.hyper(s, vocab)
	if r.err != nil {
		return nil, r.err
	}
	windows := r.windows(s, h.Layers)
	parallel := s.Form == Parallel
	if s.Form == ParallelByKey {
		parallel = need[bool](r, keyParallel)
	}
	b.warnings = r.unread(&h)
	if r.err != nil {
		return nil, r.err
	}
	m := b.model(h, shape, windows, parallel)
	b.outlet(m)
	return m, b.err
}

// binder looks tensors up, checks their shapes and keeps the first error.
type binder struct {
	spec *Spec
	find func(name string) (*gguf.Tensor, bool)
	used map[string]bool
	err  error

	warnings []string
	without  []string // layers that are left out, as the beginnings of their tensors' names

	// When shapes are wanted rather than tensors: what to invent, and where
	// to put it.
	want func(name string) bool
	made *[]gguf.Tensor
}

func (b *binder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("arch: %s: "+format, append([]any{b.spec.Name}, args...)...)
	}
}

// warn adds a warning, once.
func (b *binder) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(b.warnings, w) {
		b.warnings = append(b.warnings, w)
	}
}

// tensor returns a tensor of the given shape, innermost dimension first; nil
// if it is absent and may be.
func (b *binder) tensor(name string, p Presence, dims ...int) *gguf.Tensor {
	if p == Absent {
		return nil
	}
	t, ok := b.find(name)
	if !ok && b.made != nil && (p == Required || b.want(name)) {
		*b.made = append(*b.made, gguf.Tensor{Name: name, Dims: dims})
		t, ok = &(*b.made)[len(*b.made)-1], true
	}
	if !ok {
		if p == Required {
			b.fail("missing tensor %s %v", name, dims)
		}
		return nil
	}
	if !slices.Equal(trim(t.Dims), trim(dims)) {
		b.fail("tensor %s is %v, want %v", name, t.Dims, dims)
	}
	b.used[name] = true
	if p == Unused {
		return nil
	}
	return t
}

// trim leaves out trailing dimensions of 1, which change nothing: a file may
// have them or not.
func trim(dims []int) []int {
	n := len(dims)
	for n > 1 && dims[n-1] == 1 {
		n--
	}
	return dims[:n]
}

// has reports whether the file has a tensor.
func (b *binder) has(name string) bool {
	_, ok := b.find(name)
	return ok || b.made != nil && b.want(name)
}

// norm binds a norm of the width of the model.
func (b *binder) norm(role Role, layer int, s NormSpec, width int) *Norm {
	site := s.Name
	if layer >= 0 {
		site = block(layer, s.Name)
	}
	if s.Name == "" {
		return nil
	}
	gain := site
	if !s.NoSuffix {
		gain = WeightName(site)
	}
	if s.Optional && !b.has(WeightName(site)) {
		if bias := BiasName(site); s.Bias == Optional && b.has(bias) {
			b.used[bias] = true
			b.warn("%s is ignored without a gain, as llama.cpp does", bias)
		}
		return nil
	}
	return &Norm{
		Site: site, Role: role, Layer: layer, Kind: b.spec.Norm, Width: width, Groups: 1,
		Residual: role == LN1 || role == LN2 || role == BeforeHead,
		Gain:     b.tensor(gain, s.Gain, width),
		Bias:     b.tensor(BiasName(site), s.Bias, width),
	}
}

// qkNorm binds a norm on queries or keys.
func (b *binder) qkNorm(layer int, name string, heads, headDim int) *Norm {
	site := block(layer, name)
	gain := b.spec.QKNorm
	if gain == Optional {
		if !b.has(WeightName(site)) {
			return nil
		}
		gain = Required
	}
	n := &Norm{Site: site, Role: OnQueryKey, Layer: layer, Kind: b.spec.Norm, Width: headDim, Groups: heads}
	dims := []int{headDim}
	switch b.spec.QKGain {
	case HeadGains:
		dims = []int{headDim, heads}
	case AllHeads:
		n.Width, n.Groups = heads*headDim, 1
		dims = []int{n.Width}
	}
	n.Gain = b.tensor(WeightName(site), gain, dims...)
	n.Bias = b.tensor(BiasName(site), b.spec.QKBias, dims...)
	return n
}

// linear binds a matrix of in x out, and its bias.
func (b *binder) linear(role Role, name string, w, bias Presence, in, out int) Linear {
	l := Linear{Role: role, Name: name, W: b.tensor(WeightName(name), w, in, out), Rows: out}
	if l.W != nil {
		l.B = b.tensor(BiasName(name), bias, out)
	}
	return l
}

func (b *binder) model(h Hyper, shape layerShape, windows []int, parallel bool) *Model {
	s := b.spec
	m := &Model{Spec: s, Hyper: h, Blocks: make([]Block, h.Layers)}
	embed := Required
	if s.EmbedHead {
		embed = Optional
	}
	m.EmbedDim = h.Dim
	if name := EmbedProject.Name(-1); s.EmbedProject != Absent {
		if t, ok := b.find(WeightName(name)); ok {
			if m.EmbedDim = t.Dims[0]; m.EmbedDim > h.Dim {
				b.fail("tensor %s is %v, want an embedding that is no wider than the model", WeightName(name), t.Dims)
			}
		}
		m.EmbedProject = b.linear(EmbedProject, name, s.EmbedProject, Optional, m.EmbedDim, h.Dim)
	}
	m.Embed = b.tensor(WeightName(NameEmbed), embed, m.EmbedDim, h.Vocab)
	m.Positions = b.tensor(WeightName(namePositions), s.Positions, m.EmbedDim, h.Context)
	m.EmbedNorm = b.norm(OnEmbedding, -1, s.EmbedNorm, m.EmbedDim)
	if name := WeightName(namePosBias); s.PositionBias != Absent {
		distances := 1
		if t, ok := b.find(name); ok {
			if distances = t.Dims[0]; distances%2 == 0 || distances > maxDistances {
				b.fail("tensor %s is %v, want an odd number of distances up to %d", name, t.Dims, maxDistances)
			}
		}
		m.PositionBias = b.tensor(name, s.PositionBias, distances, h.Heads)
	}
	if s.AltUp != nil {
		m.AltUp = b.altUp(&h)
	}
	m.FinalNorm = b.norm(BeforeHead, -1, s.FinalNorm, h.Dim)
	if !s.Encoder {
		m.Head = b.linear(Head, Head.Name(-1), s.Head, s.HeadBias, h.Dim, h.Vocab)
	}
	switch {
	case s.Encoder:
	case m.Head.W == nil:
		m.Tied, m.Head.Name, m.Head.W = true, NameEmbed, m.Embed
		m.Head.B = b.tensor(BiasName(Head.Name(-1)), s.HeadBias, h.Vocab)
	case m.Embed == nil:
		m.Tied, m.Embed = true, m.Head.W
	}
	for i := range m.Blocks {
		if b.err != nil {
			break // the file lacks a layer; block_count may be anything
		}
		m.Blocks[i] = b.layer(i, &h, shape.at(i), windows[i], parallel)
	}
	b.shareKV(m)
	return m
}

// layer binds block i.
func (b *binder) layer(i int, h *Hyper, is layer, window int, parallel bool) Block {
	s, heads, kvHeads, ffn := b.spec, is.heads, is.kvHeads, is.ffn
	l := Block{Heads: heads, KVHeads: kvHeads, FFN: ffn, Window: window, Parallel: parallel, KVFrom: i}
	l.Rotary = h.RoPE.Rotary != NoRotary && !h.NoRoPE && (window > 0 || !s.WindowedRotary ||
		s.WindowDepth > 0 && h.Layers != s.WindowDepth || h.Experts > 0 && is.experts == 0)
	if n := s.RotaryPeriod; n > 0 && i%n == n-1 {
		l.Rotary = false
	}
	if ffn == 0 && is.experts == 0 { // of an uneven model
		b.leaveOut(i)
		return Block{}
	}
	recurrent := s.Recurrence != NoRecurrence && kvHeads == 0
	if recurrent {
		l.Heads, l.Window, l.Rotary = 0, 0, false
	}
	before := s.AttnNorm
	before.Optional = before.Optional || i == 0 && s.RawFirst
	if heads > 0 || recurrent {
		l.AttnNorm = b.norm(LN1, i, before, h.Dim)
	}
	l.FFNNorm = b.norm(LN2, i, s.FFNNorm, h.Dim)
	if l.AttnNorm == nil && s.AttnNorm.Optional && l.FFNNorm != nil { // the one norm serves both branches
		l.AttnNorm, l.FFNNorm = l.FFNNorm, nil
		l.AttnNorm.Role = LN1
	}
	if l.FFNNorm == nil && s.FFNNorm.Optional {
		l.Parallel = true
	}
	l.AttnPost = b.norm(AfterBranch, i, s.AttnPost, h.Dim)
	l.FFNPost = b.norm(AfterBranch, i, s.FFNPost, h.Dim)
	l.AttnSum = b.norm(LN1, i, s.AttnSum, h.Dim)
	l.AttnSum2 = b.norm(LN1, i, s.AttnSum2, h.Dim)
	l.FFNSum = b.norm(LN2, i, s.FFNSum, h.Dim)

	switch {
	case recurrent:
		b.recurrence(i, h, &l)
	case kvHeads > 0:
		b.attention(i, h, &l)
	case heads > 0:
		l.O = b.linear(O, O.Name(i), Required, s.OutBias, h.Dim, h.Dim)
	}
	b.ffn(i, h, &l, is)
	if s.AltUp != nil {
		b.altUpBlock(i, h, &l)
	}
	return l
}

// leaveOut passes over the tensors of a layer without an FFN.
func (b *binder) leaveOut(layer int) {
	b.warn("layer %d has no FFN: it is left out, as llama.cpp does", layer)
	b.without = append(b.without, block(layer, ""))
}

// leftOut reports whether a tensor is of the layers that are left out.
func (b *binder) leftOut(m *Model, name string) bool {
	if slices.ContainsFunc(b.without, func(layer string) bool { return strings.HasPrefix(name, layer) }) {
		return true
	}
	for i := range m.NextLayers {
		if strings.HasPrefix(name, block(m.Layers+i, "")) {
			return true
		}
	}
	return false
}

// leftover fails with a list of the tensors that the graph has no use for.
func (b *binder) leftover(f *gguf.File, m *Model) {
	var names []string
	for i := range f.Tensors {
		if name := f.Tensors[i].Name; !b.used[name] && !b.leftOut(m, name) {
			names = append(names, strconv.Quote(f.Tensors[i].Name))
		}
	}
	if len(names) == 0 {
		return
	}
	b.fail("the file has tensors that the architecture does not: %s", some(names))
}
