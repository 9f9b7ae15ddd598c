package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// SessionOptions say how a session is made.
type SessionOptions struct {
	// Context is the number of positions there is room for; 0 means what the
	// model was trained for, up to DefaultContext.
	Context int
	// KV is the type of the cached keys and values: quant.F16 or quant.F32.
	// The zero value is F32; F16 halves the memory and the reads.
	KV quant.Type
	// Tap, if any, is called at the norms of the graph.
	Tap *Tap
	// CheckFinite makes the error about a logit that is not finite say where
	// the first such number arose. It costs nothing until then, and then one
	// more evaluation of the timeline.
	CheckFinite bool
}

// DefaultContext bounds the room of a session that does not say.
const DefaultContext = 4096

// A Session is one timeline of tokens, with its cache of keys and values and the
// logits of its last token. What computes belongs to the model. It is not safe
// for concurrent use.
type Session struct {
	model  *Model
	tokens []int32   // evaluated and cached
	max    int       // positions there is room for
	kv     []*ops.KV // of each layer
	logits []float32 // [rows, Vocab]
	prompt int       // of the first tokens were evaluated as those of a prompt

	states []*states // that recurrent layers have kept, by position
	spare  *states   // whose memory is free, or nil

	tap   *Tap
	trace bool // SessionOptions.CheckFinite
	f16   bool // the cache is
	call  call // the one in progress
}

// NewSession makes an empty session. It is an error if its cache, once full,
// would not fit the memory of the machine, or of its container.
func (m *Model) NewSession(o SessionOptions) (*Session, error) {
	if m.closed() {
		return nil, ErrClosed
	}
	if m.Arch.Spec.Encoder {
		return nil, fmt.Errorf("engine: %s is %w", m.Arch.Spec.Name, ErrEncoder)
	}
	f16, err := kvF16(o.KV)
	if err != nil {
		return nil, err
	}
	if o.Context < 0 {
		return nil, fmt.Errorf("engine: a context of %d positions", o.Context)
	}
	a := m.Arch
	limit := a.Context
	if a.Positions == nil && o.Context > 0 {
		limit = o.Context // only a learned table ends; the rest merely leaves what it was trained for
	}
	n := o.Context
	if n == 0 {
		n = min(limit, DefaultContext)
	}
	if n > limit {
		return nil, fmt.Errorf("engine: a context of %d positions, but the model's learned positions end at %d", n, limit)
	}
	s := &Session{model: m, max: n, tokens: make([]int32, 0, min(n, DefaultContext)), tap: o.Tap, trace: o.CheckFinite, f16: f16}
	for i := range m.blocks {
		s.kv = append(s.kv, s.newKV(i))
	}
	if err := s.checkMemory(); err != nil {
		return nil, err
	}
	return s, nil
}

// newKV returns an empty cache for a layer.
func (s *Session) newKV(layer int) *ops.KV {
	return ops.NewKV(s.model.blocks[layer].CacheHeads(), s.model.Arch.HeadDim, s.max, s.f16)
}

// Tokens returns the tokens of the timeline. The slice is the session's own.
func (s *Session) Tokens() []int32 { return s.tokens }

// Len returns the number of tokens of the timeline.
func (s *Session) Len() int { return len(s.tokens) }

// Max returns the number of positions there is room for.
func (s *Session) Max() int { return s.max }

// Model returns the model that the session runs.
func (s *Session) Model() *Model { return s.model }

// Truncate drops the tokens from position n on. The states of recurrent layers cannot be
// cut back: the next evaluation first evaluates again, in the way they were, the tokens
// behind the last states before n that the session has kept, so that the result is the same
// to the last bit, and takes longer.
func (s *Session) Truncate(n int) {
	if n < 0 || n > len(s.tokens) {
		panic(fmt.Sprintf("engine: truncate %d tokens to %d", len(s.tokens), n))
	}
	s.tokens, s.prompt = s.tokens[:n], min(n, s.prompt)
}

// DropGenerated drops the tokens behind the prompt where they add up in another order
// than those of a prompt: with weights that are floats. What [Session.Sync] gives
// afterwards is what it gives in an empty session, to the last bit.
func (s *Session) DropGenerated() {
	if s.model.floats {
		s.Truncate(s.prompt)
	}
}

// Eval appends tokens to the timeline and returns the logits of the last
// one, which are valid until the next call. Calls of many sessions at once share
// passes, and each gets what it would get alone, to the last bit. When ctx is
// cancelled the call ends within a fraction of a layer, or with the pass that it
// shares with others, and the timeline ends at the last whole pass.
//
// With weights that are floats, one token alone adds up in another order than
// several do.
func (s *Session) Eval(ctx context.Context, tokens []int32) ([]float32, error) {
	if err := s.evaluate(ctx, tokens, wayOf(tokens), 1); err != nil {
		return nil, err
	}
	return s.checked(0)
}

// checked returns the logits of a row, or what is wrong with them.
func (s *Session) checked(i int) ([]float32, error) {
	logits := row(s.logits, i, s.model.Arch.Vocab)
	if j := badLogit(logits); j >= 0 {
		return nil, s.finiteError(nil, len(s.tokens)-1, j, logits[j])
	}
	return logits, nil
}

// wayOf is the way in which float products of a call add up: that which is
// faster for its number of tokens, so that pieces of a call give what it gives.
func wayOf(tokens []int32) ops.Forms {
	if len(tokens) == 1 {
		return ops.Apart
	}
	return ops.Tiled
}

// EvalAll appends tokens to the timeline and calls f with the logits of each
// of them in turn, which are valid during the call; i counts from 0. It shares
// no pass with other calls.
func (s *Session) EvalAll(ctx context.Context, tokens []int32, f func(i int, logits []float32) error) error {
	return s.alone(ctx, tokens, wayOf(tokens), wayOf(tokens), func(int, int) int { return 0 }, f)
}

// Append appends tokens to the timeline without computing any logits.
func (s *Session) Append(ctx context.Context, tokens []int32) error {
	return s.evaluate(ctx, tokens, wayOf(tokens), 0)
}

// Sync makes the timeline equal tokens, keeping the longest common prefix,
// and returns the logits of the last token and how many tokens were kept. The
// logits are the same, to the last bit, however many were kept of what Sync had
// evaluated.
func (s *Session) Sync(ctx context.Context, tokens []int32) (logits []float32, kept int, err error) {
	for kept < len(tokens) && kept < len(s.tokens) && tokens[kept] == s.tokens[kept] {
		kept++
	}
	kept = min(kept, len(tokens)-1) // the last one's logits are wanted
	if kept < 0 {
		return nil, 0, fmt.Errorf("engine: no tokens")
	}
	s.Truncate(kept)
	if err = s.evaluate(ctx, tokens[kept:], ops.Tiled, 1); err == nil {
		logits, err = s.checked(0)
	}
	return logits, kept, err
}

// evaluate appends tokens in passes that other calls share, unless this one is
// observed, and computes the logits of the last ones, as many rows as that. More
// than one row come of one pass.
func (s *Session) evaluate(ctx context.Context, tokens []int32, way ops.Forms, rows int) error {
	defer s.note(len(s.tokens), way)
	if s.observed() {
		from := func(n, done int) int {
			if done+n == len(tokens) {
				return n - rows
			}
			return n
		}
		return s.alone(ctx, tokens, way, ops.Apart, from, func(int, []float32) error { return nil })
	}
	if err := s.check(tokens); err != nil {
		return err
	}
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	if err := s.model.passes.enter(); err != nil {
		return err
	}
	defer s.model.passes.leave()
	c := &s.call
	c.session, c.ctx, c.tokens, c.way, c.rows, c.whole = s, ctx, tokens, way, rows, rows > 1
	err := s.model.queue.run(c)
	c.ctx, c.tokens = nil, nil
	return err
}

// note keeps count of the tokens of a prompt, after some were evaluated in a way behind
// the first n.
func (s *Session) note(n int, way ops.Forms) {
	if way == ops.Tiled && s.prompt == n {
		s.prompt = len(s.tokens)
	}
}

// observed reports whether somebody looks at what the session evaluates.
func (s *Session) observed() bool { return s.tap != nil || s.trace }

// check tells why tokens cannot be appended, if so.
func (s *Session) check(tokens []int32) error {
	if len(tokens) == 0 {
		return fmt.Errorf("engine: no tokens")
	}
	if len(s.tokens)+len(tokens) > s.max {
		return fmt.Errorf("%w: %d tokens and %d more, room for %d", ErrContextFull, len(s.tokens), len(tokens), s.max)
	}
	for _, id := range tokens {
		if id < 0 || int(id) >= s.model.Arch.Vocab {
			return fmt.Errorf("engine: token %d is not in the vocabulary of %d", id, s.model.Arch.Vocab)
		}
	}
	return nil
}

// alone runs tokens in batches of their own. Of each batch of n tokens, with done
// before it, it computes the logits of rows from..n and passes them to f.
func (s *Session) alone(ctx context.Context, tokens []int32, way, head ops.Forms, from func(n, done int) int, f func(i int, logits []float32) error) error {
	defer s.note(len(s.tokens), way)
	if err := s.check(tokens); err != nil {
		return err
	}
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	p, err := s.model.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.model.release(p)
	p.way = way
	return s.model.File.Guard(func() error { return s.batches(p, tokens, head, from, f) })
}

func (s *Session) batches(p *pass, tokens []int32, head ops.Forms, from func(n, done int) int, f func(i int, logits []float32) error) error {
	m := s.model
	for done := 0; done < len(tokens); {
		batch := tokens[done:min(done+m.batch, len(tokens))]
		x, err := p.forward(segment{session: s, tap: s.tap, tokens: batch, pos: len(s.tokens)})
		if err != nil {
			return err
		}
		s.tokens = append(s.tokens, batch...)
		for r := from(len(batch), done); r < len(batch); r += m.headRows {
			rows := min(m.headRows, len(batch)-r)
			s.logits = sized(s.logits, rows*m.Arch.Vocab)
			if err := p.logits(s.logits, x[r*m.Arch.Dim:(r+rows)*m.Arch.Dim], p.positions[r:r+rows], head); err != nil {
				return err
			}
			for i := range rows {
				logits := row(s.logits, i, m.Arch.Vocab)
				if j := badLogit(logits); j >= 0 {
					return s.finiteError(p, len(s.tokens)-len(batch)+r+i, j, logits[j])
				}
				if err := f(done+r+i, logits); err != nil {
					return err
				}
			}
		}
		done += len(batch)
	}
	return nil
}

// Fork returns another session with the same timeline. The two share the memory
// of what is cached, and each copies a block of 256 positions when it changes it.
// It has no tap.
func (s *Session) Fork() (*Session, error) {
	if s.model.closed() {
		return nil, ErrClosed
	}
	f := &Session{model: s.model, max: s.max, tokens: slices.Clone(s.tokens), prompt: s.prompt, trace: s.trace, f16: s.f16}
	for _, c := range s.kv {
		f.kv = append(f.kv, c.Fork())
	}
	for _, t := range s.states {
		if !t.shared {
			t.shared = true
		}
	}
	f.states = slices.Clone(s.states)
	if err := f.checkMemory(); err != nil {
		return nil, err
	}
	return f, nil
}

// kvF16 tells whether a cache of a type is F16. It may be F32 too.
func kvF16(t quant.Type) (bool, error) {
	switch t {
	case quant.F16:
		return true, nil
	case quant.F32:
		return false, nil
	}
	return false, fmt.Errorf("engine: a cache of %s is not supported, only F16 and F32", t)
}

// ErrEncoder tells that a model has no session: it reads whole sequences, and
// gives their hidden vectors instead of logits.
var ErrEncoder = errors.New("an encoder: it makes embeddings and does not predict tokens")

// ErrContextFull tells that a session has no room for the tokens.
var ErrContextFull = errors.New("engine: the context is full")
