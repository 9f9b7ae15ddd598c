package eval

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// Options say how a text is measured.
type Options struct {
	Context int        // tokens of a chunk; at least 4
	Chunks  int        // at most; 0: all
	Shard   int        // of Shards: the chunks i with i mod Shards = Shard
	Shards  int        // 0: one
	KV      quant.Type // of the caches; the zero value is F32

	// Progress, if not nil, gets the tokens evaluated so far and in the end, by
	// all models together; a total of -1 where the end is not known.
	Progress func(done, total int64)
}

// Text returns the ids of a text for a model, with BOS in front if the
// model's vocabulary requires it. A model without a vocabulary gets n random
// ids, and random is true. Where the vocabulary has no token for some bytes, the
// ids of the rest come with a *tokenizer.UnknownBytesError.
func Text(ctx context.Context, m *engine.Model, text string, n int) (ids []int32, random bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	tok, err := m.Tokenizer()
	if err != nil {
		return randomIDs(m, n), true, nil
	}
	ids, err = tok.EncodeContext(ctx, text, tokenizer.EncodeOptions{AddSpecial: true})
	return ids, false, err
}

// Probe returns ids to try a model on: those of the text, or n random ones
// where the vocabulary cannot write all of it.
func Probe(ctx context.Context, m *engine.Model, text string, n int) (ids []int32, random bool, err error) {
	ids, random, err = Text(ctx, m, text, n)
	var unknown *tokenizer.UnknownBytesError
	if errors.As(err, &unknown) {
		return randomIDs(m, n), true, nil
	}
	return ids, random, err
}

func randomIDs(m *engine.Model, n int) []int32 {
	rng := rand.New(rand.NewPCG(1, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.IntN(m.Vocab()))
	}
	return ids
}

// Digest returns the SHA-256 of token ids as little-endian int32, in hexadecimal:
// by it the parts of a run know that they read the same text.
func Digest(ids []int32) string {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ErrShort says that a text does not fill one chunk.
var ErrShort = errors.New("the text has fewer tokens than one chunk")

// chunks returns how many chunks of the text are measured, all shards
// together.
func (o *Options) chunks(ids []int32) (int, error) {
	n := len(ids) / max(o.Context, 1)
	if o.Chunks > 0 {
		n = min(n, o.Chunks)
	}
	switch {
	case o.Context < 4:
		return 0, fmt.Errorf("eval: chunks of %d tokens; want at least 4", o.Context)
	case n == 0:
		return 0, fmt.Errorf("eval: %w of %d: it has %d", ErrShort, o.Context, len(ids))
	case o.Shards < 0 || o.Shard < 0 || o.Shard >= max(o.Shards, 1):
		return 0, fmt.Errorf("eval: shard %d of %d", o.Shard, o.Shards)
	}
	return n, nil
}

// Run measures the models on a text, chunk by chunk in turn, so that drift
// of the machine hits all alike. As llama-perplexity does, it scores the
// second half of each chunk, and begins each with BOS if the model's
// vocabulary requires it. Models must have the same vocabulary; names are
// those of the report's entries. A shard may be empty, when there are more of
// them than chunks. Of the report's fields, those before IDs are left to the caller.
func Run(ctx context.Context, models []*engine.Model, names []string, ids []int32, o Options) (*Report, error) {
	n, err := o.chunks(ids)
	if err != nil {
		return nil, err
	}
	shards := max(o.Shards, 1)
	o.Chunks = (n - o.Shard + shards - 1) / shards
	r, err := NewRunner(models, names, o)
	if err != nil {
		return nil, err
	}
	bos := int32(-1)
	if tok, err := models[0].Tokenizer(); err == nil && tok.AddBOS() {
		bos, _ = tok.BOS()
	}
	for c := o.Shard; c < n; c += shards {
		chunk := append([]int32(nil), ids[c*o.Context:(c+1)*o.Context]...)
		if bos >= 0 {
			chunk[0] = bos
		}
		if err := r.Add(ctx, c, chunk); err != nil {
			return nil, err
		}
	}
	out := r.Report()
	out.IDs, out.Chunks = Digest(ids), n
	return out, nil
}

// A Runner measures models on the chunks of a text one after another, however long
// that is. One goroutine at a time may use it.
type Runner struct {
	o        Options
	chunks   int
	sessions []*engine.Session
	swaps    []*swaps // by model
	results  []result
	lines    [][]line // of a piece, by model
	vocab    int      // tokens that all models have

	done, total int64 // tokens; total is 0 where nobody knows it
}

// NewRunner prepares to measure models, with names for the report's entries, as Run
// does. Chunks of the options is how many will be added, as far as that is known.
func NewRunner(models []*engine.Model, names []string, o Options) (*Runner, error) {
	if len(models) == 0 || len(names) != len(models) {
		return nil, fmt.Errorf("eval: %d models with %d names", len(models), len(names))
	}
	r := &Runner{o: o, results: make([]result, len(models)), lines: make([][]line, len(models)), swaps: make([]*swaps, len(models)), vocab: models[0].Vocab(), total: int64(o.Chunks) * int64(o.Context-1) * int64(len(models))}
	for i, m := range models {
		r.vocab = min(r.vocab, m.Vocab())
		if err := sameVocabulary(models[0], m); err != nil {
			return nil, fmt.Errorf("eval: %s and %s cannot be compared: %w", names[0], names[i], err)
		}
		s, err := m.NewSession(engine.SessionOptions{Context: o.Context, KV: o.KV})
		if err != nil {
			return nil, err
		}
		if r.swaps[i], err = newSwaps(m, o); err != nil {
			return nil, err
		}
		r.sessions = append(r.sessions, s)
		r.results[i].Norm = names[i]
	}
	return r, nil
}

// Add measures chunk i of the text, which begins with BOS if the models' vocabulary
// requires it. Swapped norms are looked at in some chunks, by their number.
func (r *Runner) Add(ctx context.Context, i int, chunk []int32) error {
	r.chunks++
	return r.chunk(ctx, chunk, i%swapChunks == 0)
}

// Report returns the figures of the chunks so far. It does not change with further
// ones. IDs, and the fields before, are left to the caller.
func (r *Runner) Report() *Report {
	out := &Report{Context: r.o.Context, Chunks: r.chunks, Shards: []int{r.o.Shard}, Of: max(r.o.Shards, 1)}
	for i, s := range r.swaps {
		e := r.results[i]
		e.KLBins.Bins, e.Swaps = maps.Clone(e.KLBins.Bins), slices.Clone(s.found)
		out.Norms = append(out.Norms, Entry{state: &e})
	}
	out.finish()
	return out
}

// pieceTokens is how many tokens are scored at once: their logits of all
// models are in memory together.
const pieceTokens = 32

// chunk measures one chunk, and at the swapped norms too if asked.
func (r *Runner) chunk(ctx context.Context, chunk []int32, norms bool) error {
	half := len(chunk) / 2
	for i, s := range r.sessions {
		s.Truncate(0)
		if err := r.timed(i, half, func() error { return s.Append(ctx, chunk[:half]) }); err != nil {
			return err
		}
	}
	// The prediction after token j is scored against token j+1.
	for j := half; j < len(chunk)-1; j += pieceTokens {
		piece := chunk[j:min(j+pieceTokens, len(chunk)-1)]
		for i, s := range r.sessions {
			r.lines[i] = r.lines[i][:0]
			err := r.timed(i, len(piece), func() error {
				return s.EvalAll(ctx, piece, func(_ int, logits []float32) error {
					r.keep(i, logits)
					return nil
				})
			})
			if err != nil {
				return err
			}
		}
		r.score(chunk[j+1 : j+1+len(piece)])
	}
	for i := range r.results {
		r.results[i].Clusters.add(r.results[i].open)
		r.results[i].open = sums{}
	}
	for _, s := range r.swaps {
		if norms {
			if err := s.measure(ctx, chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// timed counts tokens and the time that f takes to evaluate them.
func (r *Runner) timed(i, tokens int, f func() error) error {
	start := time.Now()
	err := f()
	r.results[i].Seconds += time.Since(start).Seconds()
	r.results[i].Tokens += int64(tokens)
	r.done += int64(tokens)
	if r.o.Progress != nil && err == nil {
		r.o.Progress(r.done, cmp.Or(r.total, -1))
	}
	return err
}

// keep copies logits into the lines of model i, whose memory is used again.
func (r *Runner) keep(i int, logits []float32) {
	l := r.lines[i]
	if len(l) < cap(l) {
		l = l[:len(l)+1]
	} else {
		l = append(l, line{})
	}
	last := &l[len(l)-1]
	last.logits = append(last.logits[:0], logits[:r.vocab]...)
	r.lines[i] = l
}
