package engine

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// notFinite returns the index of the first number that is NaN or infinite, -1
// if there is none.
func notFinite(x []float32) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// badLogit returns the index of the first logit that is NaN or +Inf, that of one
// if all are -Inf, and -1 if there is a prediction. A logit of -Inf is a value, the
// probability 0: makers suppress tokens by it in the bias of the head.
func badLogit(logits []float32) int {
	bad := 0
	for i, v := range logits {
		if !(v <= math.MaxFloat32) {
			return i
		}
		if v >= -math.MaxFloat32 {
			bad = -1
		}
	}
	return bad
}

// A FiniteError tells that a logit is NaN or +Inf, or that all are -Inf.
type FiniteError struct {
	Pos   int // of the token in the timeline
	Logit int
	Value float32
	Where string // where that began, found with [SessionOptions].CheckFinite
	F16   bool   // numbers may have overflowed in the F16 cache
}

func (e *FiniteError) Error() string {
	where := e.Where
	if where == "" {
		where = "a weight is not finite, or numbers overflow"
	}
	return fmt.Sprintf("engine: at position %d logit %d is %v: %s", e.Pos, e.Logit, e.Value, where)
}

// finiteError is the error about logit j at a position of the timeline.
func (s *Session) finiteError(p *pass, pos, j int, v float32) error {
	e := &FiniteError{Pos: pos, Logit: j, Value: v, F16: s.f16}
	if s.trace {
		var err error
		if e.Where, err = s.origin(p); err != nil {
			return err
		}
	}
	return e
}

// origin runs the timeline once more and tells where the first number that is
// not finite arises.
func (s *Session) origin(p *pass) (where string, err error) {
	tap, tokens := s.tap, s.tokens
	defer func() { s.tap, s.tokens = tap, tokens }()
	w := watch{model: s.model, f16: s.f16}
	s.tap = w.tap()
	s.tokens = s.tokens[:0]
	for w.where == "" && len(s.tokens) < len(tokens) {
		batch := tokens[len(s.tokens):min(len(s.tokens)+s.model.batch, len(tokens))]
		if _, err := p.forward(segment{session: s, tap: s.tap, tokens: batch, pos: len(s.tokens)}); err != nil {
			return "", err
		}
		s.tokens = tokens[:len(s.tokens)+len(batch)]
	}
	if w.where == "" {
		w.where = "every norm is finite, so it arises in the head: " + w.blame(s.model.Arch.Head.W, s.model.Arch.Head.B)
	}
	return w.where, nil
}

// embeddingError is the error about number i of the embedding of a sequence, which is
// computed once more to tell where that began.
func (p *pass) embeddingError(sequence int, tokens []int32, i int, v float32) error {
	w := watch{model: p.model}
	if _, err := p.forward(segment{tap: w.tap(), tokens: tokens}); err != nil {
		return err
	}
	if w.where == "" {
		var suspects []*gguf.Tensor
		for _, l := range p.model.Arch.Outlets() {
			suspects = append(suspects, l.W, l.B)
		}
		for _, n := range []*arch.Norm{p.model.Arch.FinalNorm, p.model.Arch.ClassNorm} {
			if n != nil {
				suspects = append(suspects, n.Gain, n.Bias)
			}
		}
		w.where = "every norm of the blocks is finite, so it arises behind them: " + w.blame(suspects...)
	}
	return fmt.Errorf("engine: of sequence %d number %d of the embedding is %v: %s", sequence, i, v, w.where)
}

// A watch looks for the first number that is not finite.
type watch struct {
	model  *Model
	f16    bool       // the cache is
	before *arch.Norm // the last norm whose output was finite
	where  string     // "": nowhere so far
}

func (w *watch) tap() *Tap {
	return &Tap{Func: func(h Hidden) {
		i := notFinite(h.Rows)
		switch {
		case w.where != "":
		case i >= 0:
			r := i / (h.Site.Width * h.Site.Groups)
			w.where = fmt.Sprintf("the first number that is not finite is a %v at position %d, ", h.Rows[i], h.Pos+r) + w.place(&h, r)
		case h.Stage == Out:
			w.before = h.Site
		}
	}}
}

// place says where in the graph row r is not finite, when the norm before, if
// there is one, left everything finite.
func (w *watch) place(h *Hidden, r int) string {
	a, before := w.model.Arch, w.before
	switch {
	case h.Stage == Out:
		return fmt.Sprintf("in the norm %s: %s", h.Site.Site, w.blame(h.Site.Gain, h.Site.Bias))
	case before == nil:
		suspects := []*gguf.Tensor{tensorRow(a.Embed, int(h.Tokens[r]))}
		if a.Positions != nil {
			suspects = append(suspects, tensorRow(a.Positions, h.Pos+r))
		}
		if a.TokenTypes != nil {
			suspects = append(suspects, tensorRow(a.TokenTypes, 0))
		}
		if h.Site.Layer >= 0 { // a block without a norm before its branches
			suspects = append(suspects, a.Tensors(h.Site.Layer)...)
		}
		suspects = append(suspects, w.around()...)
		return fmt.Sprintf("before %s, from the embedding of token %d on: %s", h.Site.Site, h.Tokens[r], w.blame(suspects...))
	}
	layer := h.Site.Layer
	if h.Site.Residual && a.Spec.Form != arch.PostNorm { // it reads what the block before has written
		layer = max(0, before.Layer)
	}
	return fmt.Sprintf("in layer %d, between %s and %s: %s", layer, before.Site, h.Site.Site, w.blame(append(a.Tensors(layer), w.around()...)...))
}

// around are the tensors outside the layers that these read.
func (w *watch) around() []*gguf.Tensor {
	a := w.model.Arch
	all := []*gguf.Tensor{a.EmbedProject.W, a.EmbedProject.B, a.PositionBias}
	if u := a.AltUp; u != nil {
		all = append(all, u.InputEmbed, u.InputModel.W, u.Widen.W, u.Merge.W)
	}
	return all
}

// tensorRow returns row i of a matrix as a tensor of its own.
func tensorRow(t *gguf.Tensor, i int) *gguf.Tensor {
	size := len(t.Data) / t.Dims[1]
	return &gguf.Tensor{Name: fmt.Sprintf("%s (row %d)", t.Name, i), Type: t.Type, Dims: t.Dims[:1], Data: t.Data[i*size : (i+1)*size]}
}

// blame finds the tensor that is not finite, if one is.
func (w *watch) blame(tensors ...*gguf.Tensor) string {
	for _, t := range tensors {
		if t == nil {
			continue
		}
		row := make([]float32, t.Dims[0])
		size := len(t.Data) / (t.Items() / len(row))
		for at := 0; at < len(t.Data); at += size {
			if err := quant.Decode(row, t.Type, t.Data[at:at+size]); err != nil {
				return err.Error()
			}
			if i := notFinite(row); i >= 0 {
				return fmt.Sprintf("tensor %s has %v at index %d", t.Name, row[i], at/size*len(row)+i)
			}
		}
	}
	if w.f16 {
		return "every weight there is finite, so numbers overflow, perhaps in the F16 cache"
	}
	return "every weight there is finite, so numbers overflow"
}
