// Package engine runs models on the CPU: [Open] a file, make a session with
// [Model.NewSession], and range over [Session.Generate]. [Options].Norm swaps
// the norms, a [Tap] looks at what they read and write, and a [WithNorm] brings
// others.
//
// A [Model] is a file, loaded: it never changes and may serve any number of
// sessions at once. A [Session] is one timeline of tokens with its cache of
// keys and values. The forward pass is in forward.go and reads like the
// paper: what an architecture is stands in package arch, how a number is
// computed in package ops.
package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// Options say how a model is loaded. The zero value is a good default.
type Options struct {
	// Threads is the number of processors that compute; 0 means the physical
	// cores.
	Threads int
	// FloatActivations keeps activations in float32 where weights are
	// quantised, instead of quantising them to 8 bits for the dot products.
	// It is slower and exact to float32 rounding.
	FloatActivations bool
	// Norm says what becomes of the norms; "" means Native.
	Norm NormMode
	// NormSites limits the modes RMSNaive and Layer to norms it accepts.
	NormSites func(*arch.Norm) bool
	// WithNorm, if any, replaces norms by the caller's own, after Norm.
	WithNorm WithNorm
	// FoldGain folds gain and bias of the norms of the residual stream into
	// the matrices that read them, as far as those are F32, F16 or BF16: a
	// copy of them is made. What is left of a norm is one scalar a vector.
	FoldGain bool
	// Progress, if not nil, is told the bytes of weights that a fold has gone
	// through.
	Progress func(done, total int64)
}

// A Model is a loaded model. It is immutable and safe for concurrent use.
type Model struct {
	Arch *arch.Model
	File *gguf.File

	opts      Options
	pool      *ops.Pool
	tok       *tokenizer.Tokenizer
	tokErr    error
	embed     ops.Matrix
	positions ops.Matrix // Rows is 0 without learned positions
	embedNorm *norm
	blocks    []block
	widths    widths
	batch     int // tokens that go through the blocks at once, at most
	headRows  int // rows of logits that are computed at once, at most
	finalNorm *norm
	head      linear
	rope      *ops.RoPE // of global layers
	ropeW     *ops.RoPE // of windowed layers
	longRope  *ops.RoPE // of contexts beyond the original one, or nil

	norms       map[*arch.Norm]*norm
	note        string     // what the options of the norms have to say
	plan        *fold.Plan // carried out, or nil
	centreEmbed bool
	// centresHeads tells that queries or keys are centred within each head.
	centresHeads bool
	borrowed     bool // the file is another model's
}

// block is arch.Block with its weights where ops can use them.
type block struct {
	*arch.Block
	attnNorm, ffnNorm, attnPost, ffnPost, qNorm, kNorm *norm
	q, k, v, o, gate, up, down, router                 linear
	experts                                            []expert
	ffnScales                                          []float32
	attention                                          ops.Attention
}

// linear is y = W x + b, centred within groups of its outputs if means is
// not nil: y - means[g].x for the outputs of group g.
type linear struct {
	w     ops.Matrix
	b     []float32
	means [][]float32
}

type expert struct{ gate, up, down linear }

// A Norm maps one vector to its normalised form; dst may be x. Every norm of
// a graph is one, those of package ops and any that a caller brings.
type Norm interface {
	Apply(dst, x []float32)
}

// norm is one norm of the graph. groups vectors of width lie side by side.
type norm struct {
	site   *arch.Norm
	groups []Norm // one for all groups, or one for each
	// readers are the matrices that read its output; nil if others do too.
	readers []*ops.Matrix
}

// Open loads the model in a file, which stays mapped until Close.
func Open(path string, o Options) (*Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := Load(f, o)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Load makes a model of a parsed file. The model takes over the file and
// closes it when it is closed itself; on an error the file stays the caller's.
// It is an error, not a crash, if the file shrinks meanwhile, and so it is of
// every call that evaluates tokens.
func Load(f *gguf.File, o Options) (*Model, error) {
	return LoadContext(context.Background(), f, o)
}

// LoadContext is Load, with the error of ctx soon after that is cancelled: a
// fold goes through every weight.
func LoadContext(ctx context.Context, f *gguf.File, o Options) (m *Model, err error) {
	err = f.Guard(func() error {
		m, err = load(ctx, f, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func load(ctx context.Context, f *gguf.File, o Options) (*Model, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("engine: %d threads", o.Threads)
	}
	a, err := arch.Load(f)
	if err != nil {
		return nil, err
	}
	m := &Model{Arch: a, File: f, opts: o, norms: map[*arch.Norm]*norm{}}
	m.tok, m.tokErr = tokenizer.New(&f.Meta)
	with, note, err := o.replacement(a)
	if err != nil {
		return nil, err
	}
	m.note = note
	b := builder{with: with, norms: m.norms}
	m.embed = b.matrix(a.Embed, 0, 0, a.Vocab)
	if a.Positions != nil {
		m.positions = b.matrix(a.Positions, 0, 0, a.Context)
	}
	m.embedNorm = b.norm(a.EmbedNorm, a.Eps)
	m.finalNorm = b.norm(a.FinalNorm, a.Eps)
	m.head = b.linear(&a.Head)
	m.blocks = make([]block, len(a.Blocks))
	for i := range a.Blocks {
		m.blocks[i] = b.block(a, &a.Blocks[i])
	}
	if b.err != nil {
		return nil, b.err
	}
	for i := range m.blocks {
		m.blocks[i].connect()
	}
	m.rope, m.ropeW = newRoPE(a.RoPE, a.RoPE.Factors), newRoPE(a.WindowRoPE, a.WindowRoPE.Factors)
	if a.RoPE.LongFactors != nil {
		m.longRope = newRoPE(a.RoPE, a.RoPE.LongFactors)
	}
	m.bounds()
	m.pool = ops.NewPool(o.Threads)
	loaded := false
	defer func() {
		if !loaded {
			m.pool.Close()
		}
	}()
	m.pool.SetContext(ctx)
	if o.FoldGain {
		if err := m.foldGain(ctx); err != nil {
			return nil, err
		}
	}
	if o.Norm == RMSFolded {
		if err := m.applyFold(ctx, o.Progress); err != nil {
			return nil, err
		}
	}
	if o.FloatActivations {
		if err := m.widen(); err != nil {
			return nil, err
		}
	}
	m.pool.SetContext(context.Background())
	loaded = true
	return m, nil
}

// Variant loads the file of m once more, with other options: other norms, for
// one. It shares the mapping, and ends when m is closed at the latest.
func (m *Model) Variant(o Options) (*Model, error) {
	return m.VariantContext(context.Background(), o)
}

// VariantContext is Variant, with the error of ctx soon after that is cancelled.
func (m *Model) VariantContext(ctx context.Context, o Options) (*Model, error) {
	v, err := LoadContext(ctx, m.File, o)
	if err != nil {
		return nil, err
	}
	v.borrowed = true
	return v, nil
}

// Note returns what the options of the norms have to say, such as that a mode
// changes nothing; "" if nothing.
func (m *Model) Note() string { return m.note }

// Warnings tell what in the file is not used, such as keys that are not known.
func (m *Model) Warnings() []string { return m.Arch.Warnings }

// Plan returns the fold that was carried out; nil if there was none.
func (m *Model) Plan() *fold.Plan { return m.plan }

// Close frees the workers and unmaps the file, unless m is a [Model.Variant].
// No session may be in use.
func (m *Model) Close() error {
	m.pool.Close()
	if m.borrowed {
		return nil
	}
	return m.File.Close()
}

// Observe calls f after each operation of the forward pass; nil ends that. It
// is for profiles, and slows down small models while it lasts.
func (m *Model) Observe(f func(ops.Span)) { m.pool.Observe(f) }

// Threads returns the number of threads that compute.
func (m *Model) Threads() int { return m.pool.Threads() }

// Tokenizer returns the model's tokenizer, or the reason why it has none: a
// model can run on token ids alone.
func (m *Model) Tokenizer() (*tokenizer.Tokenizer, error) { return m.tok, m.tokErr }

// Context returns the number of positions the model was trained for.
func (m *Model) Context() int { return m.Arch.Context }

// Vocab returns the number of tokens.
func (m *Model) Vocab() int { return m.Arch.Vocab }

func newRoPE(p arch.RoPE, factors []float32) *ops.RoPE {
	if p.Rotary == arch.NoRotary {
		return nil
	}
	c := ops.RoPEConfig{Dims: p.Dims, Pairwise: p.Rotary == arch.Pairwise, Base: float32(p.Base),
		Scale: float32(p.Scale), Mscale: float32(p.Attn), Factors: factors}
	if p.Ext != 0 {
		c.YaRN = &ops.YaRN{OrigContext: p.OrigContext, Ext: float32(p.Ext), BetaFast: float32(p.BetaFast), BetaSlow: float32(p.BetaSlow)}
	}
	return ops.NewRoPE(c)
}

// builder turns tensors into what ops takes and keeps the first error.
type builder struct {
	with  WithNorm
	norms map[*arch.Norm]*norm
	err   error
}

func (b *builder) fail(err error) {
	if b.err == nil && err != nil {
		b.err = fmt.Errorf("engine: %w", err)
	}
}

// matrix returns rows from..from+rows of the e-th matrix of a tensor.
func (b *builder) matrix(t *gguf.Tensor, e, from, rows int) ops.Matrix {
	size, err := t.Type.RowBytes(t.Dims[0])
	if err != nil {
		b.fail(fmt.Errorf("tensor %s: %w", t.Name, err))
		return ops.Matrix{}
	}
	first := e*rows + from // experts are whole matrices
	if end := (first + rows) * size; end > len(t.Data) {
		b.fail(fmt.Errorf("tensor %s has %d bytes, want %d", t.Name, len(t.Data), end))
		return ops.Matrix{}
	}
	m, err := ops.NewMatrix(t.Type, rows, t.Dims[0], t.Data[first*size:(first+rows)*size])
	if err != nil {
		b.fail(fmt.Errorf("tensor %s: %w", t.Name, err))
	}
	return m
}

// vector returns n elements of a tensor, decoded; nil if there is none.
func (b *builder) vector(t *gguf.Tensor, from, n int) []float32 {
	if t == nil || b.err != nil {
		return nil
	}
	v, err := t.Float32s()
	if err != nil {
		b.fail(err)
		return nil
	}
	return v[from : from+n : from+n]
}

func (b *builder) linear(l *arch.Linear) linear {
	if l.W == nil || b.err != nil {
		return linear{}
	}
	return linear{w: b.matrix(l.W, 0, l.From, l.Rows), b: b.vector(l.B, l.BFrom, l.Rows)}
}

func (b *builder) norm(n *arch.Norm, eps float32) *norm {
	if n == nil || b.err != nil {
		return nil
	}
	groups := 1
	if n.Gain != nil {
		groups = n.Gain.Items() / n.Width
	}
	gain, bias := b.vector(n.Gain, 0, groups*n.Width), b.vector(n.Bias, 0, groups*n.Width)
	part := func(v []float32, i int) []float32 {
		if v == nil {
			return nil
		}
		return v[i*n.Width : (i+1)*n.Width : (i+1)*n.Width]
	}
	all := &norm{site: n}
	for i := range groups {
		all.groups = append(all.groups, b.with(n, &ops.Norm{Eps: eps, Center: n.Kind == arch.LayerNorm, Gain: without(part(gain, i), 1), Bias: without(part(bias, i), 0)}))
	}
	b.norms[n] = all
	return all
}

// connect tells the norms of a block which matrices read them. A mixture of
// experts reads its input row by row.
func (b *block) connect() {
	ffn := []*ops.Matrix{&b.up.w}
	if b.gate.w.Rows > 0 {
		ffn = append(ffn, &b.gate.w)
	}
	if b.experts != nil {
		ffn = nil
	}
	shared := b.Parallel && b.ffnNorm == nil
	if b.attnNorm != nil && !(shared && ffn == nil) {
		b.attnNorm.readers = []*ops.Matrix{&b.q.w, &b.k.w, &b.v.w}
		if shared {
			b.attnNorm.readers = append(b.attnNorm.readers, ffn...)
		}
	}
	if b.ffnNorm != nil {
		b.ffnNorm.readers = ffn
	}
}

// without returns v, or nil if it is c throughout: a gain of ones and a bias
// of zeros need no pass.
func without(v []float32, c float32) []float32 {
	for _, x := range v {
		if x != c {
			return v
		}
	}
	return nil
}

func (b *builder) block(a *arch.Model, l *arch.Block) block {
	out := block{
		Block:    l,
		attnNorm: b.norm(l.AttnNorm, a.Eps), ffnNorm: b.norm(l.FFNNorm, a.Eps),
		attnPost: b.norm(l.AttnPost, a.Eps), ffnPost: b.norm(l.FFNPost, a.Eps),
		qNorm: b.norm(l.QNorm, a.Eps), kNorm: b.norm(l.KNorm, a.Eps),
		q: b.linear(&l.Q), k: b.linear(&l.K), v: b.linear(&l.V), o: b.linear(&l.O),
		router: b.linear(&l.Router),
		attention: ops.Attention{Heads: l.Heads, KVHeads: l.KVHeads, HeadDim: a.HeadDim,
			Scale: a.AttnScale, Softcap: a.AttnSoftcap, Window: l.Window},
	}
	if a.MaxALiBi > 0 {
		out.attention.Slopes = ops.ALiBiSlopes(l.Heads, a.MaxALiBi)
	}
	if l.Router.W == nil {
		out.gate, out.up, out.down = b.linear(&l.Gate), b.linear(&l.Up), b.linear(&l.Down)
		if l.FFNScales != nil {
			out.ffnScales = b.vector(l.FFNScales, 0, l.FFN)
		}
		return out
	}
	for e := range a.Experts {
		out.experts = append(out.experts, expert{
			gate: linear{w: b.matrix(l.Gate.W, e, 0, l.Gate.Rows)},
			up:   linear{w: b.matrix(l.Up.W, e, 0, l.Up.Rows)},
			down: linear{w: b.matrix(l.Down.W, e, 0, l.Down.Rows)},
		})
	}
	return out
}

// kvTypes are the types a cache may have.
func kvF16(t quant.Type) (bool, error) {
	switch t {
	case quant.F16:
		return true, nil
	case quant.F32:
		return false, nil
	}
	return false, fmt.Errorf("engine: a cache of %s is not supported, only F16 and F32", t)
}

// ErrContextFull tells that a session has no room for the tokens.
var ErrContextFull = errors.New("engine: the context is full")
