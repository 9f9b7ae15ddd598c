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

// A Part is a place of a block where hidden vectors are seen: what one of its branches
// adds to the residual stream, or the stream itself. With [arch.AltUp] that is the first
// stream, which is more than the sum of its parts.
type Part uint8

const (
	Attention Part = iota // what attention adds, or what stands in its place, behind a norm on it
	FFN                   // what the feed-forward network adds, behind a norm on it
	Stream                // the residual stream behind the block
)

func (p Part) String() string { return [...]string{"attention", "ffn", "stream"}[p] }

// A Tap looks at the hidden vectors around the norms of a session, or of an
// embedding, and at those of its blocks. Without one they pay nothing.
type Tap struct {
	// Func, if not nil, is called at every stage of every norm, in the order of
	// evaluation, on the goroutine that evaluates. What it is given is valid
	// during the call and must not be changed.
	Func func(Hidden)
	// Blocks, if not nil, is called in the same way with the parts of every block. The
	// stream behind the embedding comes first, as that of block -1.
	Blocks func(Written)
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

// Written is what a tap sees of a part of a block.
type Written struct {
	Layer  int // -1: the embedding
	Part   Part
	Tokens []int32   // of the batch
	Pos    int       // position of the first of them
	Rows   []float32 // a vector of Arch.Dim for each token
}

// watched reports whether somebody looks at the parts of blocks.
func (p *pass) watched() bool {
	for i := range p.segments {
		if t := p.segments[i].tap; t != nil && t.Blocks != nil {
			return true
		}
	}
	return false
}

// showPart shows each tap that looks at blocks the rows of its own segment.
func (p *pass) showPart(layer int, part Part, rows []float32) {
	d := p.model.Arch.Dim
	for _, s := range p.segments {
		if s.tap != nil && s.tap.Blocks != nil {
			s.tap.Blocks(Written{layer, part, s.tokens, s.pos, rows[s.row*d : (s.row+len(s.tokens))*d]})
		}
	}
}

// showNothing shows that a layer does not have a part: zeros for x.
func (p *pass) showNothing(layer int, part Part, x []float32) {
	p.branch = sized(p.branch, len(x))
	clear(p.branch)
	p.showPart(layer, part, p.branch)
}

func (s *segment) tapped(f *norm) bool {
	return s.tap != nil && s.tap.Func != nil && (s.tap.Sites == nil || s.tap.Sites(f.site))
}

// tapped reports whether somebody looks at f.
func (p *pass) tapped(f *norm) bool {
	for i := range p.segments {
		if p.segments[i].tapped(f) {
			return true
		}
	}
	return false
}

// show shows each tap that looks at f the rows of its own segment.
func (p *pass) show(f *norm, stage Stage, rows []float32) {
	width := f.site.Width * f.site.Groups
	for _, s := range p.segments {
		if s.tapped(f) {
			s.tap.Func(Hidden{f.site, stage, s.tokens, s.pos, rows[s.row*width : (s.row+len(s.tokens))*width]})
		}
	}
}

// showStandardized shows x standardized to the taps that ask for it, if the
// norm is one of ops: of a caller's norm only the whole is known.
func (p *pass) showStandardized(f *norm, x []float32) {
	built, ok := f.parts[0].(*ops.Norm)
	wanted := false
	for i := range p.segments {
		s := &p.segments[i]
		wanted = wanted || s.tapped(f) && s.tap.Std
	}
	if !wanted || !ok {
		return
	}
	p.standardized = sized(p.standardized, len(x))
	p.pool.Norm(p.standardized, x, f.site.Width, &ops.Norm{Eps: built.Eps, Center: built.Center})
	p.show(f, Std, p.standardized)
}
