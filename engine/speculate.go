package engine

import (
	"context"
	"fmt"
	"time"
)

// Speculation guesses tokens that may follow, and evaluates them in one pass with
// the token that was drawn: a pass of some rows costs little more than one of one
// row. Guesses that are drawn, too, are evaluated already; the others are dropped.
// Tokens and logits are those without it, to the last bit, at any temperature.
//
// How many tokens are guessed follows what became of the last guesses, and none are
// while that has cost more than it gained, 2 % of the time and a token's at most.
// What a draft takes to read the prompt comes on top.
//
// A session with a tap, or with CheckFinite, does not guess.
type Speculation struct {
	// Lookup guesses what followed the last tokens where they stood before: prompt
	// lookup (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding).
	Lookup bool
	// Draft, if not nil, guesses where the lookup has nothing: a session of a model
	// with the same vocabulary (Leviathan et al., arXiv 2211.17192). It draws with the
	// random numbers of the tokens that it guesses.
	Draft *Session
	// Max is how many tokens are guessed at once at most; 0: 15.
	Max int

	Guessed, Accepted int // tokens, added up by Generate

	always bool // whatever it costs, for tests
}

const (
	maxGuess   = 15   // with the token before it 16 rows, a tile of products
	leastMatch = 2    // tokens that a lookup finds, twice that while guesses have cost more than they saved
	allowance  = 0.02 // of the time, beside that of a token
	reserve    = 8    // tokens: how much of what was saved may be spent again
)

// guessing is the state of a speculation during a Generate.
type guessing struct {
	*Speculation
	session *Session
	sampler *Sampler // of the draft, a copy
	all     []int32  // the timeline and what is guessed behind it

	length  int // to be guessed the next time
	guessed int // the last time
	hits    int // of those

	// Passes of one token that the passes since the beginning took, and that they
	// saved, which may be negative. Times are compared within a text alone, and what
	// takes longer than each row by itself is others' doing.
	one          time.Duration // a pass of one token takes
	total, saved float64
}

// start checks a speculation and returns its state for s; nil without one.
func (o *Speculation) start(s *Session) (*guessing, error) {
	if o == nil || !o.Lookup && o.Draft == nil || s.observed() {
		return nil, nil
	}
	if o.Max < 0 {
		return nil, fmt.Errorf("engine: %d tokens to guess at most", o.Max)
	}
	if o.Draft != nil {
		if o.Draft == s {
			return nil, fmt.Errorf("engine: a session cannot be its own draft")
		}
		if err := s.model.sameVocabulary(o.Draft.model); err != nil {
			return nil, err
		}
	}
	return &guessing{Speculation: o, session: s, length: 1}, nil
}

// sameVocabulary tells how the vocabulary of a draft differs, if it does.
func (m *Model) sameVocabulary(draft *Model) error {
	if m.Vocab() != draft.Vocab() {
		return fmt.Errorf("engine: the draft has a vocabulary of %d tokens, the model one of %d", draft.Vocab(), m.Vocab())
	}
	if m.tok == nil || draft.tok == nil {
		return nil
	}
	for id := range int32(m.Vocab()) {
		if a, b := m.tok.Piece(id), draft.tok.Piece(id); a != b {
			return fmt.Errorf("engine: token %d is %q in the draft and %q in the model", id, b, a)
		}
	}
	return nil
}

// hit notes that the next of the guesses was drawn, and returns the row of its logits.
func (g *guessing) hit() int {
	g.hits++
	g.Accepted++
	return g.hits
}

// next evaluates a token that was drawn, next[0], with guesses of what follows it,
// at most room, and returns these. They lie behind the token in next.
func (g *guessing) next(ctx context.Context, next []int32, room int, sampler *Sampler) (ahead []int32, err error) {
	g.settle()
	if g.one == 0 && g.Draft != nil && len(g.session.tokens) <= g.Draft.max {
		if _, _, err := g.Draft.Sync(ctx, g.session.tokens); err != nil {
			return nil, fmt.Errorf("the draft: %w", err)
		}
	}
	begun := time.Now()
	next = next[:1]
	n := min(g.length, room, g.session.model.batch-1, maxGuess)
	if g.Max > 0 {
		n = min(n, g.Max)
	}
	if n > 0 && (g.always || g.one > 0 && g.saved > -1-allowance*g.total) {
		if next, err = g.guess(ctx, next, n, sampler); err != nil {
			return nil, err
		}
	}
	drafting := time.Since(begun)
	g.guessed = len(next) - 1
	g.Guessed += g.guessed
	if err := g.session.evaluateAhead(ctx, next); err != nil {
		return nil, err
	}
	took := time.Since(begun)
	switch {
	case g.one == 0:
		g.one = took
	case g.guessed == 0:
		g.one += min(took-g.one, g.one/4) / 8
	}
	cost := min(took, time.Duration(len(next))*g.one+drafting).Seconds() / g.one.Seconds()
	if g.guessed > 0 {
		g.saved -= cost - 1
		g.total += cost
	} else {
		g.total++
	}
	return next[1:], nil
}

// settle learns from what became of the last guesses.
func (g *guessing) settle() {
	switch {
	case g.guessed == 0:
		return
	case g.hits == g.guessed:
		g.length = min(2*g.length+1, maxGuess)
	case 2*g.hits < g.guessed:
		g.length = max(g.length/2, 1)
	}
	g.saved = min(g.saved+float64(g.hits), reserve)
	g.guessed, g.hits = 0, 0
}

// guess appends up to n guesses to next.
func (g *guessing) guess(ctx context.Context, next []int32, n int, sampler *Sampler) ([]int32, error) {
	g.all = append(append(g.all[:0], g.session.tokens...), next[0])
	if g.Lookup {
		least := leastMatch
		if g.saved < 0 { // guesses have failed
			least *= 2
		}
		if at := lookup(g.all, least); at > 0 {
			for i := range n { // what is guessed itself may be repeated
				g.all = append(g.all, g.all[at+i])
				next = append(next, g.all[at+i])
			}
			return next, nil
		}
	}
	if g.Draft == nil || len(g.all)+n > g.Draft.max {
		return next, nil
	}
	g.sampler = sampler.copyTo(g.sampler)
	for range n {
		logits, _, err := g.Draft.Sync(ctx, g.all)
		if err != nil {
			return nil, fmt.Errorf("the draft: %w", err)
		}
		id, err := g.sampler.Sample(logits, g.all)
		if err != nil {
			return nil, fmt.Errorf("the draft: %w", err)
		}
		g.all, next = append(g.all, id), append(next, id)
	}
	return next, nil
}

// lookup returns the index behind the longest stretch of tokens that stands at the
// end of them too, the last of equals; 0 if it is shorter than least.
func lookup(tokens []int32, least int) (at int) {
	const most = 16 // longer ones are as good
	end := len(tokens) - 1
	best := least - 1
	for i := end - 1; i >= least-1 && best < most; i-- {
		n := 0
		for n <= i && n < most && tokens[i-n] == tokens[end-n] {
			n++
		}
		if n > best {
			best, at = n, i+1
		}
	}
	return at
}
