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
// is an error that names it.
func Load(f *gguf.File) (*Model, error) {
	b := &binder{find: f.Tensor, used: map[string]bool{}}
	vocab := 0
	for _, name := range []string{"token_embd.weight", "output.weight"} {
		if t, ok := f.Tensor(name); ok && len(t.Dims) == 2 && vocab == 0 {
			vocab = t.Dims[1]
		}
	}
	m, err := b.bind(&f.Meta, vocab)
	if err != nil {
		return nil, err
	}
	if m.Spec.Rotary != NoRotary {
		b.ropeFactors(m)
	}
	b.leftover(f)
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

// Spec returns the architecture that the metadata names.
func specOf(meta *gguf.Meta) (*Spec, error) {
	name, err := gguf.Get[string](meta, "general.architecture")
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
	if s.Form == PostNorm {
		return nil, fmt.Errorf("arch: %s is a post-norm encoder; only decoders with norms before their branches can be run", s.Name)
	}
	b.spec = s
	if vocab == 0 {
		return nil, fmt.Errorf("arch: %s: missing tensor token_embd.weight", s.Name)
	}
	r := &reader{meta: meta, name: s.Name}
	h, shape := r.hyper(s, vocab)
	if r.err != nil {
		return nil, r.err
	}
	windows := r.windows(s, h.Layers)
	parallel := s.Form == Parallel
	if s.Form == Keyed {
		parallel = need[bool](r, "use_parallel_residual")
	}
	if r.err != nil {
		return nil, r.err
	}
	m := b.model(h, shape, windows, parallel)
	return m, b.err
}

// windows returns the sliding window of each layer.
func (r *reader) windows(s *Spec, layers int) []int {
	all := make([]int, layers)
	if s.Window == 0 {
		return all
	}
	width := opt(r, "attention.sliding_window", 0)
	if width < 0 {
		r.fail(fmt.Errorf("%s is %d", r.key("attention.sliding_window"), width))
	}
	if r.err != nil || width == 0 {
		return all
	}
	const key = "attention.sliding_window_pattern"
	if each, ok := flags(r.meta, r.key(key)); ok {
		if len(each) != layers {
			r.fail(fmt.Errorf("%s has %d elements, want one for each of %d layers", r.key(key), len(each), layers))
			return all
		}
		for i, windowed := range each {
			if windowed {
				all[i] = width
			}
		}
		return all
	}
	every := r.positive(key, opt(r, key, s.Window), layers+s.Window)
	for i := range all {
		if r.err == nil && i%every != every-1 {
			all[i] = width
		}
	}
	return all
}

// flags returns an array of booleans, or of integers that serve as such.
func flags(m *gguf.Meta, key string) ([]bool, bool) {
	if each, err := gguf.Get[[]bool](m, key); err == nil {
		return each, true
	}
	each, err := gguf.Get[[]int](m, key)
	if err != nil {
		return nil, false
	}
	on := make([]bool, len(each))
	for i, v := range each {
		on[i] = v != 0
	}
	return on, true
}

// binder looks tensors up, checks their shapes and keeps the first error.
type binder struct {
	spec *Spec
	find func(name string) (*gguf.Tensor, bool)
	used map[string]bool
	err  error

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
	if !slices.Equal(t.Dims, dims) {
		b.fail("tensor %s is %v, want %v", name, t.Dims, dims)
	}
	b.used[name] = true
	return t
}

// has reports whether the file has a tensor.
func (b *binder) has(name string) bool {
	_, ok := b.find(name)
	return ok || b.made != nil && b.want(name)
}

func (b *binder) norm(prefix string, layer int, s NormSpec, width int, residual bool) *Norm {
	if s.Name == "" || s.May && !b.has(prefix+s.Name+".weight") {
		return nil
	}
	return &Norm{
		Site: prefix + s.Name, Layer: layer, Kind: b.spec.Norm, Width: width, Groups: 1, Residual: residual,
		Gain: b.tensor(prefix+s.Name+".weight", s.Gain, width),
		Bias: b.tensor(prefix+s.Name+".bias", s.Bias, width),
	}
}

// qkNorm binds a norm on queries or keys. Its gain has one element for every
// coordinate of a head, shared by the heads or not, or it covers the full
// width, which is then normalised as one.
func (b *binder) qkNorm(layer int, name string, heads, headDim int) *Norm {
	site := block(layer, name)
	if !b.has(site+".weight") && (b.spec.QKNorm != Required || b.made == nil) {
		if b.spec.QKNorm == Required {
			b.fail("missing tensor %s.weight", site)
		}
		return nil
	}
	n := &Norm{Site: site, Layer: layer, Kind: b.spec.Norm, Width: headDim, Groups: heads}
	dims := []int{headDim}
	if t, ok := b.find(site + ".weight"); ok && len(t.Dims) == 2 {
		dims = []int{headDim, heads}
	} else if ok && !slices.Equal(t.Dims, dims) {
		dims = []int{heads * headDim}
		n.Width, n.Groups = heads*headDim, 1
	}
	n.Gain = b.tensor(site+".weight", Required, dims...)
	n.Bias = b.tensor(site+".bias", b.spec.QKBias, dims...)
	return n
}

// linear binds a matrix of in x out, and its bias.
func (b *binder) linear(name string, w, bias Presence, in, out int) Linear {
	l := Linear{Name: name, W: b.tensor(name+".weight", w, in, out), Rows: out}
	if l.W != nil {
		l.B = b.tensor(name+".bias", bias, out)
	}
	return l
}

func (b *binder) model(h Hyper, shape layerShape, windows []int, parallel bool) *Model {
	s := b.spec
	m := &Model{Spec: s, Hyper: h, Blocks: make([]Block, h.Layers)}
	m.Embed = b.tensor("token_embd.weight", Optional, h.Dim, h.Vocab)
	m.Positions = b.tensor("position_embd.weight", s.Positions, h.Dim, h.Context)
	m.EmbedNorm = b.norm("", -1, s.EmbedNorm, h.Dim, false)
	m.FinalNorm = b.norm("", -1, s.FinalNorm, h.Dim, true)
	m.Head = b.linear("output", s.Head, s.HeadBias, h.Dim, h.Vocab)
	switch {
	case m.Head.W == nil:
		m.Tied, m.Head.Name, m.Head.W = true, "token_embd", m.Embed
	case m.Embed == nil && s.Head == Optional:
		m.Tied, m.Embed = true, m.Head.W // CodeShell stores the shared table as the head
	}
	if m.Embed == nil {
		b.fail("missing tensor token_embd.weight")
	}
	for i := range m.Blocks {
		if b.err != nil {
			break // the file has not nearly so many layers
		}
		m.Blocks[i] = b.layer(i, &h, shape.heads[i], shape.kvHeads[i], shape.ffn[i], windows[i], parallel)
	}
	return m
}

func (b *binder) layer(i int, h *Hyper, heads, kvHeads, ffn, window int, parallel bool) Block {
	s := b.spec
	name := func(n string) string { return block(i, n) }
	l := Block{Heads: heads, KVHeads: kvHeads, FFN: ffn, Window: window, Parallel: parallel}
	l.Rotary = s.Rotary != NoRotary && (window > 0 || !s.WindowedRotary)
	l.AttnNorm = b.norm(name(""), i, s.AttnNorm, h.Dim, true)
	l.FFNNorm = b.norm(name(""), i, s.FFNNorm, h.Dim, true)
	if l.AttnNorm == nil && s.AttnNorm.May {
		l.AttnNorm, l.FFNNorm = l.FFNNorm, nil
	}
	if l.FFNNorm == nil && s.FFNNorm.May {
		l.Parallel = true
	}
	l.AttnPost = b.norm(name(""), i, s.AttnPost, h.Dim, false)
	l.FFNPost = b.norm(name(""), i, s.FFNPost, h.Dim, false)

	q, kv := heads*h.HeadDim, kvHeads*h.HeadDim
	if b.has(name("attn_qkv.weight")) {
		fused := b.linear(name("attn_qkv"), Required, s.QKVBias, h.Dim, q+2*kv)
		rows := func(split string, from, n int) Linear {
			part := Linear{Name: fused.Name, W: fused.W, B: fused.B, From: from, Rows: n, BFrom: from}
			if fused.B == nil && s.QKVBias != Absent { // fused weights may come with split biases
				part.B, part.BFrom = b.tensor(name(split)+".bias", Optional, n), 0
			}
			return part
		}
		l.Q, l.K, l.V = rows("attn_q", 0, q), rows("attn_k", q, kv), rows("attn_v", q+kv, kv)
	} else {
		l.Q = b.linear(name("attn_q"), Required, s.QKVBias, h.Dim, q)
		l.K = b.linear(name("attn_k"), Required, s.QKVBias, h.Dim, kv)
		l.V = b.linear(name("attn_v"), Required, s.QKVBias, h.Dim, kv)
	}
	if s.QKNorm != Absent {
		l.QNorm = b.qkNorm(i, "attn_q_norm", heads, h.HeadDim)
		l.KNorm = b.qkNorm(i, "attn_k_norm", kvHeads, h.HeadDim)
		if l.QNorm == nil {
			l.KNorm = nil // llama.cpp norms both or, without the first, neither
		}
	}
	l.O = b.linear(name("attn_output"), Required, s.OutBias, q, h.Dim)

	if h.Experts > 0 {
		l.Router = b.linear(name("ffn_gate_inp"), Required, Absent, h.Dim, h.Experts)
		expert := func(n string, in, out int) Linear {
			return Linear{Name: name(n), W: b.tensor(name(n)+".weight", Required, in, out, h.Experts), Rows: out}
		}
		l.Gate, l.Up, l.Down = expert("ffn_gate_exps", h.Dim, ffn), expert("ffn_up_exps", h.Dim, ffn), expert("ffn_down_exps", ffn, h.Dim)
		return l
	}
	switch s.Gating {
	case Gated:
		l.Gate = b.linear(name("ffn_gate"), Required, s.FFNBias, h.Dim, ffn)
		l.Up = b.linear(name("ffn_up"), Required, s.FFNBias, h.Dim, ffn)
	case FusedGate:
		both := b.linear(name("ffn_up"), Required, s.FFNBias, h.Dim, 2*ffn)
		l.Gate, l.Up = both, both
		l.Gate.Rows, l.Up.Rows, l.Up.From, l.Up.BFrom = ffn, ffn, ffn, ffn
	default:
		l.Up = b.linear(name("ffn_up"), Required, s.FFNBias, h.Dim, ffn)
	}
	l.FFNScales = b.tensor(name("ffn.act.scales"), s.FFNScales, ffn)
	l.Down = b.linear(name("ffn_down"), Required, s.FFNBias, ffn, h.Dim)
	return l
}

// ropeFactors binds the tables of frequency factors.
func (b *binder) ropeFactors(m *Model) {
	table := func(name string) []float32 {
		if b.err != nil || !b.has(name) {
			return nil
		}
		t := b.tensor(name, Required, m.RoPE.Dims/2)
		if b.err != nil {
			return nil
		}
		f, err := t.Float32s()
		if err != nil {
			b.err = fmt.Errorf("arch: %w", err)
		}
		for i, v := range f {
			if v == 0 || v-v != 0 {
				b.fail("tensor %s has %v at %d, want finite factors other than 0", name, v, i)
			}
		}
		return f
	}
	m.RoPE.Factors = table("rope_freqs.weight")
	short, long := table("rope_factors_short.weight"), table("rope_factors_long.weight")
	if m.RoPE.Factors == nil {
		m.RoPE.Factors, m.RoPE.LongFactors = short, long
	}
	m.WindowRoPE.Factors, m.WindowRoPE.LongFactors = m.RoPE.Factors, m.RoPE.LongFactors
}

// leftover fails with a list of the tensors that the graph has no use for.
func (b *binder) leftover(f *gguf.File) {
	var names []string
	for i := range f.Tensors {
		if !b.used[f.Tensors[i].Name] {
			names = append(names, strconv.Quote(f.Tensors[i].Name))
		}
	}
	if len(names) == 0 {
		return
	}
	const show = 5
	more := ""
	if len(names) > show {
		more = fmt.Sprintf(" and %d more", len(names)-show)
		names = names[:show]
	}
	b.fail("the file has tensors that the architecture does not: %s%s", strings.Join(names, ", "), more)
}
