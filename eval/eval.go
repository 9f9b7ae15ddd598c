package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// A Result is what was measured of one model over a text.
type Result struct {
	Norm string `json:"norm"`

	NLL     Moments `json:"nll"` // negative log likelihood of the text's tokens, nats
	Tokens  int64   `json:"tokens"`
	Seconds float64 `json:"seconds"` // that Tokens took to evaluate

	// Against the first model of the run, token by token.
	KL       Moments   `json:"kl"` // KL(first || this), nats
	KLBins   Histogram `json:"kl_bins"`
	KLMax    float64   `json:"kl_max"`
	SameTop  int64     `json:"same_top"`   // how often the most likely token is the same
	DeltaP2  Moments   `json:"delta_p2"`   // squared change of the probability of the text's token
	MaxLogit float64   `json:"max_dlogit"` // largest |difference| of a logit
}

// Perplexity returns exp of the mean negative log likelihood, and its
// standard error.
func (r *Result) Perplexity() (ppl, se float64) {
	ppl = math.Exp(r.NLL.Mean)
	return ppl, ppl * r.NLL.StandardError()
}

// Speed returns the tokens evaluated a second.
func (r *Result) Speed() float64 { return float64(r.Tokens) / r.Seconds }

// TopAgreement returns the share of tokens whose most likely successor is the
// first model's.
func (r *Result) TopAgreement() float64 { return float64(r.SameTop) / float64(r.KL.N) }

// RMSDeltaP returns the root mean square change of the probability of the
// text's tokens.
func (r *Result) RMSDeltaP() float64 { return math.Sqrt(r.DeltaP2.Mean) }

// Merge takes in the result of another part of the text.
func (r *Result) Merge(o *Result) error {
	if r.Norm != o.Norm {
		return fmt.Errorf("eval: cannot merge figures of %s with those of %s", r.Norm, o.Norm)
	}
	r.NLL.Merge(o.NLL)
	r.KL.Merge(o.KL)
	r.KLBins.Merge(o.KLBins)
	r.DeltaP2.Merge(o.DeltaP2)
	r.Tokens, r.Seconds = r.Tokens+o.Tokens, r.Seconds+o.Seconds
	r.SameTop += o.SameTop
	r.KLMax, r.MaxLogit = max(r.KLMax, o.KLMax), max(r.MaxLogit, o.MaxLogit)
	return nil
}

// Options say how a text is measured.
type Options struct {
	Context  int        // tokens of a chunk; at least 4
	Chunks   int        // at most so many; 0: all
	Shard    int        // of Shards: the chunks i with i mod Shards = Shard
	Shards   int        // 0: one
	KV       quant.Type // of the caches; the zero value is F32
	Progress func(done, total int)
}

// Text returns the ids of a text for a model, with BOS in front if the
// model's vocabulary asks for it. A model without a vocabulary gets n random
// ids, and random is true.
func Text(m *engine.Model, text string, n int) (ids []int32, random bool, err error) {
	tok, err := m.Tokenizer()
	if err != nil {
		rng := rand.New(rand.NewPCG(1, 1))
		ids = make([]int32, n)
		for i := range ids {
			ids[i] = int32(rng.IntN(m.Vocab()))
		}
		return ids, true, nil
	}
	ids, err = tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: true})
	return ids, false, err
}

// Run measures the models on a text, chunk by chunk in turn, so that drift
// of the machine hits all alike. As llama-perplexity does, it scores the
// second half of each chunk, and begins each with BOS if the model's
// vocabulary asks for it. Models must have the same vocabulary.
func Run(ctx context.Context, models []*engine.Model, names []string, ids []int32, o Options) ([]Result, error) {
	n := len(ids) / max(o.Context, 1)
	if o.Chunks > 0 {
		n = min(n, o.Chunks)
	}
	switch {
	case o.Context < 4:
		return nil, fmt.Errorf("eval: chunks of %d tokens; want at least 4", o.Context)
	case n == 0:
		return nil, fmt.Errorf("eval: the text has %d tokens, less than one chunk of %d", len(ids), o.Context)
	case o.Shards > 0 && (o.Shard < 0 || o.Shard >= o.Shards):
		return nil, fmt.Errorf("eval: shard %d of %d", o.Shard, o.Shards)
	}
	r := run{results: make([]Result, len(models)), lines: make([][]line, len(models))}
	for i, m := range models {
		if m.Vocab() != models[0].Vocab() {
			return nil, fmt.Errorf("eval: vocabularies of %d and %d tokens cannot be compared", models[0].Vocab(), m.Vocab())
		}
		s, err := m.NewSession(engine.SessionOptions{Context: o.Context, KV: o.KV})
		if err != nil {
			return nil, err
		}
		r.sessions = append(r.sessions, s)
		r.results[i].Norm = names[i]
	}
	bos := int32(-1)
	if tok, err := models[0].Tokenizer(); err == nil && tok.AddBOS() {
		bos, _ = tok.BOS()
	}
	for c := range n {
		if o.Shards > 0 && c%o.Shards != o.Shard {
			continue
		}
		chunk := append([]int32(nil), ids[c*o.Context:(c+1)*o.Context]...)
		if bos >= 0 {
			chunk[0] = bos
		}
		if err := r.chunk(ctx, chunk); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(c+1, n)
		}
	}
	return r.results, nil
}

// run is a measurement in progress.
type run struct {
	sessions []*engine.Session
	results  []Result
	lines    [][]line // of a piece, by model
}

// line is what a model predicts after one token.
type line struct {
	logits []float32
	lse    float64 // log of the sum of exp(logits)
	top    int
}

// pieceTokens is how many tokens are scored at once: their logits of all
// models are in memory together.
const pieceTokens = 32

func (r *run) chunk(ctx context.Context, chunk []int32) error {
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
	return nil
}

func (r *run) timed(i, tokens int, f func() error) error {
	start := time.Now()
	err := f()
	r.results[i].Seconds += time.Since(start).Seconds()
	r.results[i].Tokens += int64(tokens)
	return err
}

// keep copies logits into the lines of model i, whose memory is used again.
func (r *run) keep(i int, logits []float32) {
	l := r.lines[i]
	if len(l) < cap(l) {
		l = l[:len(l)+1]
	} else {
		l = append(l, line{})
	}
	last := &l[len(l)-1]
	last.logits = append(last.logits[:0], logits...)
	r.lines[i] = l
}

// scored is what one token adds to a result.
type scored struct{ nll, kl, dp, dlogit float64 }

// score takes in a piece whose successors are next.
func (r *run) score(next []int32) {
	first := r.lines[0]
	each(len(next), func(t int) { first[t].sum() })
	out := make([]scored, len(next))
	for i := range r.sessions {
		lines := r.lines[i]
		each(len(next), func(t int) {
			if i > 0 {
				lines[t].sum()
			}
			out[t] = lines[t].against(&first[t], int(next[t]))
		})
		res := &r.results[i]
		for t, s := range out {
			res.NLL.Add(s.nll)
			res.KL.Add(s.kl)
			res.KLBins.Add(s.kl)
			res.DeltaP2.Add(s.dp * s.dp)
			res.KLMax = max(res.KLMax, s.kl)
			res.MaxLogit = max(res.MaxLogit, s.dlogit)
			if lines[t].top == first[t].top {
				res.SameTop++
			}
		}
	}
}

// each calls f for 0..n-1 on all processors.
func each(n int, f func(t int)) {
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		wg.Go(func() {
			for t := w; t < n; t += workers {
				f(t)
			}
		})
	}
	wg.Wait()
}

// sum fills in what the logits sum to.
func (l *line) sum() {
	l.top = 0
	for i, v := range l.logits {
		if v > l.logits[l.top] {
			l.top = i
		}
	}
	top, sum := float64(l.logits[l.top]), 0.0
	for _, v := range l.logits {
		sum += math.Exp(float64(v) - top)
	}
	l.lse = top + math.Log(sum)
}

// against compares a prediction with that of the first model.
func (l *line) against(first *line, next int) scored {
	s := scored{nll: l.lse - float64(l.logits[next])}
	if l == first {
		return s
	}
	shift := l.lse - first.lse
	for i, v := range first.logits {
		d := float64(v) - float64(l.logits[i])
		s.kl += math.Exp(float64(v)-first.lse) * (d + shift)
		s.dlogit = max(s.dlogit, math.Abs(d))
	}
	s.dp = math.Exp(float64(l.logits[next])-l.lse) - math.Exp(float64(first.logits[next])-first.lse)
	return s
}

// A Prediction is what identity 1 of the paper says of one norm: leaving the
// removal of the mean out turns the standardised vector y into
// sin(theta) y + cos(theta) 1, theta being the angle of the input with the
// uniform vector, which moves it by sqrt(2 - 2 sin(theta)) of its length.
type Prediction struct {
	Site  string  `json:"site"`
	Error float64 `json:"error"` // root mean square over the tokens
}

// Predict returns the predictions for the norms of the residual stream of a
// model as it stands, over tokens.
func Predict(ctx context.Context, m *engine.Model, ids []int32) ([]Prediction, error) {
	var all []Prediction
	tap := &engine.Tap{
		Sites: func(n *arch.Norm) bool { return n.Residual },
		Func: func(h engine.Hidden) {
			if h.Stage != engine.In {
				return
			}
			d := h.Site.Width
			var sum float64
			for i := 0; i < len(h.Rows); i += d {
				x := h.Rows[i : i+d]
				mean := ops.Mean(x)
				cos2 := min(1, float64(d)*mean*mean/max(ops.SumSquares(x), math.SmallestNonzeroFloat64))
				sum += 2 - 2*math.Sqrt(1-cos2)
			}
			all = append(all, Prediction{h.Site.Site, math.Sqrt(sum / float64(len(h.Rows)/d))})
		},
	}
	ids = ids[:min(len(ids), m.Context(), 512)] // one batch, so that each site is seen once
	s, err := m.NewSession(engine.SessionOptions{Context: len(ids), Tap: tap})
	if err != nil {
		return nil, err
	}
	return all, s.Append(ctx, ids)
}
