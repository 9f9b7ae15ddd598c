package engine

import (
	"context"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// A states is what the recurrent layers of a session keep of its timeline at one
// position. It does not change once its pass is done, and cannot be cut back: a session
// keeps some of them, and evaluates again what lies between the last one and the position
// that it is cut to.
type states struct {
	at     int         // tokens that are in it
	rows   int         // of the pass that made it
	way    ops.Forms   // in which the float products of that added up
	layers [][]float32 // nil for those that are not recurrent
	shared bool        // with a fork
}

const (
	// keptStates is how many states a session keeps, at most.
	keptStates = 8
	// allStates are those, the one that a pass makes, and one whose memory is used again.
	allStates = keptStates + 2
)

// of returns the state of a layer; nil: zeros, or that nothing is kept.
func (s *states) of(layer int) []float32 {
	if s == nil {
		return nil
	}
	return s.layers[layer]
}

// each calls f with the state of each recurrent layer.
func (s *states) each(f func(x []float32) error) error {
	for _, x := range s.layers {
		if x == nil {
			continue
		}
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// stateSize is the number of elements of the states of a model at one position.
func stateSize(a *arch.Model) (n int) {
	for i := range a.Blocks {
		if a.Blocks[i].Recurrent() {
			n += (a.ConvTaps - 1 + a.ScanState) * a.Inner
		}
	}
	return n
}

// statesBytes is the memory that the states of a session take at most.
func statesBytes(a *arch.Model) float64 { return 4 * allStates * float64(stateSize(a)) }

// statesAt returns those at a position; nil if they are not kept.
func (s *Session) statesAt(pos int) *states {
	if i, ok := s.search(pos); ok {
		return s.states[i]
	}
	return nil
}

// search returns the index of the states at a position, or behind it.
func (s *Session) search(pos int) (i int, ok bool) {
	return slices.BinarySearchFunc(s.states, pos, func(t *states, pos int) int { return t.at - pos })
}

// newStates returns states to be filled.
func (s *Session) newStates() *states {
	if t := s.spare; t != nil {
		s.spare = nil
		return t
	}
	t := &states{layers: make([][]float32, len(s.model.blocks))}
	for i := range t.layers {
		if r := s.model.blocks[i].recurrence; r != nil {
			t.layers[i] = make([]float32, r.size())
		}
	}
	return t
}

// drop takes states i off those that are kept.
func (s *Session) drop(i int) {
	if !s.states[i].shared {
		s.spare = s.states[i]
	}
	s.states = slices.Delete(s.states, i, i+1)
}

// begin gives a segment of a pass the states to go on from, nil at the beginning, and those
// to fill.
func (s *Session) begin(seg *segment, way ops.Forms) {
	for n := len(s.states); n > 0 && s.states[n-1].at > seg.pos; n-- { // of another timeline
		s.drop(n - 1)
	}
	if seg.pos > 0 {
		if seg.from = s.statesAt(seg.pos); seg.from == nil {
			panic("engine: a pass without the states before it")
		}
	}
	seg.to = s.newStates()
	seg.to.at, seg.to.rows, seg.to.way = seg.pos+len(seg.tokens), len(seg.tokens), way
}

// keep keeps the states that a segment has filled, and drops those before it if one token
// alone leads to each of both.
func (s *Session) keep(seg *segment) {
	s.states = append(s.states, seg.to)
	if from := seg.from; from != nil && from.rows == 1 && seg.to.rows == 1 && from.way == seg.to.way {
		s.drop(len(s.states) - 2)
	}
	if len(s.states) <= keptStates {
		return
	}
	// Of the others that go which leaves the smallest gap, and no two ways in one.
	best, least := 0, math.MaxInt
	for i := range len(s.states) - 2 {
		gap := s.states[i+1].at
		if i > 0 {
			gap -= s.states[i-1].at
		}
		if s.states[i].way != s.states[i+1].way {
			gap += s.max
		}
		if gap < least {
			best, least = i, gap
		}
	}
	s.drop(best)
}

// catchUp evaluates again, in the way they were, the tokens at the end of the timeline that
// the states behind them are gone of: those behind the last states that are kept.
func (s *Session) catchUp(ctx context.Context) error {
	end := len(s.tokens)
	if s.model.stateSize == 0 || end == 0 {
		return nil
	}
	next, ok := s.search(end)
	if ok {
		return nil
	}
	from, way := 0, ops.Tiled
	if next > 0 {
		from = s.states[next-1].at
	}
	if next < len(s.states) {
		way = s.states[next].way
	}
	tokens, tap, prompt := slices.Clone(s.tokens), s.tap, s.prompt
	s.tokens, s.tap = s.tokens[:from], nil
	err := s.evaluate(ctx, tokens[from:], way, 0)
	s.tokens, s.tap, s.prompt = append(s.tokens[:0], tokens...), tap, prompt
	return err
}
