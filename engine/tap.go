package engine

import (
	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// A Stage is a point in the course of a norm.
type Stage uint8

const (
	In  Stage = iota // before the norm
	Std              // standardised: before gain and bias
	Out              // after gain and bias
)

func (s Stage) String() string { return [...]string{"in", "std", "out"}[s] }

// A Tap looks at the hidden vectors around the norms of a session. A session
// without one pays nothing.
type Tap struct {
	// Func is called at every stage of every norm, in the order of
	// evaluation, on the goroutine that evaluates. What it is given is valid
	// during the call and must not be changed.
	Func func(Hidden)
	// Std asks for the stage Std, which costs a pass of its own.
	Std bool
	// Sites limits the calls to norms it accepts; nil accepts all.
	Sites func(*arch.Norm) bool
}

// Hidden is what a tap sees: the vectors of a batch at one stage of one norm.
type Hidden struct {
	Site   *arch.Norm
	Stage  Stage
	Tokens []int32   // of the batch
	Pos    int       // position of the first of them
	Rows   []float32 // for each token Site.Groups vectors of Site.Width
}

func (s *Session) tapped(f *norm) bool {
	return s.tap != nil && (s.tap.Sites == nil || s.tap.Sites(f.site))
}

func (s *Session) show(f *norm, stage Stage, rows []float32) {
	s.tap.Func(Hidden{f.site, stage, s.batch, len(s.tokens), rows})
}

// showStd shows x standardised, if the tap asks for that and the norm is one
// of ours: of a caller's norm only the whole is known.
func (s *Session) showStd(f *norm, x []float32) {
	built, ok := f.groups[0].(*ops.Norm)
	if !s.tap.Std || !ok {
		return
	}
	if len(s.std) < len(x) {
		s.std = make([]float32, len(x))
	}
	std := s.std[:len(x)]
	s.pool.Norm(std, x, f.site.Width, &ops.Norm{Eps: built.Eps, Center: built.Center})
	s.show(f, Std, std)
}
