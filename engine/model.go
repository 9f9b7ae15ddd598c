// Package engine runs models on the CPU: [Open] a file, make a session with
// [Model.NewSession], and range over [Session.Generate]. [Options].Norm swaps
// the norms, a [Tap] looks at what they read and write, and a [NormReplacer]
// brings others.
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
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/machine"
	forms "github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/tokenizer"
)

// Options say how a model is loaded. The zero value is a good default.
type Options struct {
	// Threads is the number of processors that compute; 0 means the physical
	// cores.
	Threads int
	// FloatActivations keeps activations in float32 where weights are
	// quantized, instead of quantizing them to 8 bits for the dot products.
	// It is slower and exact to float32 rounding.
	FloatActivations bool
	// BF16Activations rounds the activations that are multiplied with weights in BF16 to BF16
	// as well, as PyTorch does: faster, and exact to three digits. It is an error on a
	// machine that has no instructions for it (AVX512_BF16), and for a model without such weights.
	BF16Activations bool
	// Mapped leaves the weights in the mapping of their file, shared with other
	// processes. Otherwise the weights of a large model are read into huge pages
	// where the machine has both the pages and the memory: a token reads every
	// weight, and is generated faster from there.
	Mapped bool
	// TanhGELU computes every GELU in its tanh form, as llama.cpp does, also in
	// models that were trained with the exact one.
	TanhGELU bool
	// Tokenizer says how the vocabulary is read.
	Tokenizer tokenizer.Options
	// Norm says what becomes of the norms; "" means Native.
	Norm NormMode
	// NormSites limits the mode to norms it accepts; Native and RMSFolded, and modes
	// that name norms themselves, cannot be limited.
	NormSites func(*arch.Norm) bool
	// Recipe, if not nil, says what becomes of every norm, in place of Norm. Whether
	// it is for this file is the caller's to check ([norm.Recipe.For]).
	Recipe *forms.Recipe
	// ReplaceNorm, if not nil, replaces norms by the caller's own, after Norm.
	ReplaceNorm NormReplacer
	// FoldGain folds gain and bias of the norms of the residual stream into
	// the matrices that read them, as far as those are F32, F16 or BF16: a
	// copy of them is made. What is left of a norm is one scalar a vector.
	FoldGain bool
	// FoldReaders folds gain and bias as FoldGain does, and takes from each row of the
	// matrices that read a LayerNorm its mean over the inputs: the reader fold. Its
	// standardized vector has no mean, so that this changes nothing, unless the norm
	// runs as an RMSNorm, for which it removes what a naive swap adds.
	FoldReaders bool
	// Progress, if not nil, is called with the bytes of weights that were read,
	// and folded if they are, and those of all.
	Progress func(done, total int64)
}

// A Model is a loaded model. It is immutable and safe for concurrent use.
type Model struct {
	Arch *arch.Model
	File *gguf.File

	opts       Options
	pool       *ops.Pool
	tok        *tokenizer.Tokenizer
	tokErr     error
	embed      ops.Matrix
	tokenType  []float32  // of every token, or nil
	positions  ops.Matrix // Rows is 0 without learned positions
	embedNorm  *norm
	blocks     []block
	bareForms  ops.Forms // what reads the residual stream without a norm reads
	widths     widths
	batch      int    // rows of a pass, at most
	headRows   int    // rows of logits that are computed at once, at most
	finalNorm  *norm  // or nil
	head       linear // w.Rows is 0 in encoders
	activation ops.Activation
	rope       *ops.RoPE // of global layers
	windowRope *ops.RoPE // of windowed layers
	longRope   *ops.RoPE // of contexts beyond the original one, or nil

	// What stands behind the pooling; w.Rows is 0 where there is none.
	embedProject, dense2, dense3, classDense, classOut linear
	classNorm                                          *norm

	queue     queue  // of evaluations
	altUp     *altUp // or nil
	stateSize int    // of the recurrent layers, in numbers; 0: there are none
	floats    bool   // products of the blocks have weights that are read as floats
	halves    bool   // some are multiplied with activations in BF16

	norms       map[*arch.Norm]*norm
	choices     map[*arch.Norm]choice
	folded      bool       // some norm is rms-folded
	note        string     // what the options of the norms have to say
	plan        *fold.Plan // carried out, or nil
	centerEmbed bool
	mapped      bool
	passes      passes
	sum         weightsSum
}

// block is arch.Block with its weights where ops can use them.
type block struct {
	*arch.Block
	attnNorm, ffnNorm, attnPost, ffnPost, qNorm, kNorm, vNorm *norm
	attnSum, attnSum2, ffnSum                                 *norm
	centerStream                                              bool // once attention has read it
	q, k, v, o, gate, up, down, router                        linear
	recurrence                                                *recurrence // in place of attention, or nil
	altUp                                                     *altUpBlock // or nil
	kRope, qHeads                                             linear      // of latent attention
	kHeads, vHeads                                            []linear    // one a head; nil without
	experts                                                   []expert
	shared                                                    expert // down.w.Rows is 0 if there is none
	sharedRouter                                              linear
	selectBias                                                []float32 // or nil
	ffnScales                                                 []float32
	xielu                                                     *arch.XIELUShape // nil: another activation
	attention                                                 ops.Attention
}

// linear is y = W x + b, centered within groups of its outputs if means is
// not nil: y - means[g].x for the outputs of group g.
type linear struct {
	w       ops.Matrix
	b       []float32
	means   [][]float32
	forms   ops.Forms    // what it reads
	columns *ops.Columns // of w, for inputs with [ops.Outliers]; or nil
}

type expert struct{ gate, up, down linear }

// A Norm maps one vector to its normalized form; dst may be x. Every norm of
// a graph is one, those of package ops and any that a caller brings. Sessions may
// call it at once; it must not keep its arguments. Those of package ops run fused
// with what reads them, others row by row on one thread. A [norm.Positional] gets
// the position of the token too.
type Norm = forms.Norm

// norm is one norm of the graph. It acts on site.Groups vectors side by side.
type norm struct {
	site  *arch.Norm
	parts []Norm    // one for all groups, or one for each
	forms ops.Forms // what the products behind it read
}

// apply normalizes the rows of x into dst; positions are those of the tokens, nil
// where the rows are not of tokens.
func (f *norm) apply(pool *ops.Pool, dst, x []float32, positions []int) {
	w := f.site.Width
	if built, ok := f.parts[0].(*ops.Norm); ok && len(f.parts) == 1 {
		pool.Norm(dst, x, w, built)
		return
	}
	for i := range len(x) / w {
		part := f.parts[i%len(f.parts)]
		if at, ok := part.(forms.Positional); ok && positions != nil {
			at.ApplyAt(row(dst, i, w), row(x, i, w), positions[i/f.site.Groups])
			continue
		}
		part.Apply(row(dst, i, w), row(x, i, w))
	}
}

// Open loads the model in a GGUF file or in a folder of transformers (see package
// hf), which stays open until Close.
func Open(ctx context.Context, path string, o Options) (*Model, error) {
	open := gguf.Open
	if hf.Is(path) {
		open = hf.Open
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	m, err := Load(ctx, f, o)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Load makes a model of a parsed file. The model takes over the file and
// closes it when it is closed itself; on an error, which is that of ctx soon
// after ctx is cancelled, the file stays the caller's. It is an error, not a
// crash, if the file shrinks meanwhile, and so it is of every call that
// evaluates tokens.
func Load(ctx context.Context, f *gguf.File, o Options) (*Model, error) {
	return guarded(ctx, f, o, nil)
}

// Variant loads the file of m once more, with other options: other norms, for
// one. It shares the weights, and ends when m is closed at the latest.
func (m *Model) Variant(ctx context.Context, o Options) (*Model, error) {
	if err := m.passes.enter(); err != nil {
		return nil, err
	}
	defer m.passes.leave()
	return guarded(ctx, m.File, o, m)
}

// guarded loads a model, the variant of another if base is not nil.
func guarded(ctx context.Context, f *gguf.File, o Options, base *Model) (m *Model, err error) {
	err = f.Guard(func() error {
		m, err = load(ctx, f, o, base)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func load(ctx context.Context, f *gguf.File, o Options, base *Model) (*Model, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("engine: %d threads", o.Threads)
	}
	a, err := arch.Load(f)
	if err != nil {
		return nil, err
	}
	m := &Model{Arch: a, File: f, opts: o, norms: map[*arch.Norm]*norm{}}
	m.passes.init(base)
	m.tok, m.tokErr = o.Tokenizer.New(&f.Meta)
	if err := m.chooseNorms(); err != nil {
		return nil, err
	}
	if m.folded {
		if err := m.planFold(); err != nil {
			return nil, err
		}
	}
	work := progress{f: o.Progress, total: m.foldBytes()}
	if base == nil {
		if err := m.read(ctx, &work); err != nil {
			return nil, err
		}
	}
	if o.BF16Activations && !ops.BF16() {
		return nil, errors.New("engine: this machine has no instructions for activations in BF16 (AVX512_BF16)")
	}
	if err := m.build(); err != nil {
		return nil, err
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
	if o.FoldGain || o.FoldReaders {
		if err := m.foldGain(ctx); err != nil {
			return nil, err
		}
	}
	if err := m.applyFold(ctx, &work); err != nil {
		return nil, err
	}
	if o.FloatActivations {
		if err := m.widen(); err != nil {
			return nil, err
		}
	}
	m.pool.SetContext(context.Background())
	if m.connect(); o.BF16Activations && !m.halves {
		return nil, errors.New("engine: activations in BF16 are for weights in BF16, and no matrix of this model can be multiplied so")
	}
	m.queue.init(m)
	if err := m.checkFold(ctx); err != nil {
		return nil, err
	}
	loaded = true
	return m, nil
}

// hugePages is from what size on, in bytes, weights are worth reading into huge
// pages: smaller ones fit the caches, or are read fast enough.
const hugePages = 32 << 20

// spare is what is left to others, in bytes, when weights are read into memory.
const spare = 256 << 20

// read reads the weights, so that the first token does not wait for the disk:
// into huge pages if these and memory for them are there, else ahead into the
// mapping.
func (m *Model) read(ctx context.Context, work *progress) error {
	f, size, room := m.File, m.File.DataBytes(), machine.Memory().Bytes
	work.total += size
	if size >= hugePages && !m.opts.Mapped && size < room-spare {
		err := f.ReadIn(ctx, work.part())
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	m.mapped = true
	if size > room {
		return nil // what is read first would give way to what is read last
	}
	return f.ReadAhead(ctx, work.part())
}

// progress adds up the parts of a load.
type progress struct {
	f           func(done, total int64)
	done, total int64
}

func (p *progress) add(bytes int64) {
	if p.done += bytes; p.f != nil {
		p.f(p.done, p.total)
	}
}

// part returns the function that reports a part of the load from its beginning.
func (p *progress) part() func(done, total int64) {
	var before int64
	return func(done, _ int64) {
		p.add(done - before)
		before = done
	}
}

// Note returns what the options of the norms have to say, such as that a mode
// changes nothing; "" if nothing.
func (m *Model) Note() string { return m.note }

// Mapped reports whether the weights stayed in the mapping of their file: because
// they are few, or [Options].Mapped says so, or the machine has no huge pages or not
// the memory for them.
func (m *Model) Mapped() bool {
	if base := m.passes.base; base != nil {
		return base.Mapped()
	}
	return m.mapped
}

// Warnings tell what in the file is not used, such as keys that are not known.
func (m *Model) Warnings() []string { return m.Arch.Warnings }

// Plan returns the fold that was carried out; nil if there was none.
func (m *Model) Plan() *fold.Plan { return m.plan }

// Close ends the workers and closes the file, unless m is a [Model.Variant]. It
// waits for the calls in progress, those of variants too; later ones return
// [ErrClosed], and a second Close returns nil. A function that an evaluation
// calls must not close its model.
func (m *Model) Close() error {
	if !m.passes.close() {
		return nil
	}
	m.pool.Close()
	if m.passes.base != nil {
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
