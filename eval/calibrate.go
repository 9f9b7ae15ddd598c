package eval

import (
	"context"
	"fmt"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/ops"
)

// Calibrate makes the recipe that rules ([norm.ParseRules]) are for a model with its
// norms as trained: the form of each norm, with the constants that it has on sequences
// of tokens, each read from position 0 on. Hashes and names are left to the caller.
func Calibrate(ctx context.Context, m *engine.Model, rules string, sequences [][]int32) (*norm.Recipe, error) {
	parsed, err := norm.ParseRules(rules)
	if err != nil {
		return nil, err
	}
	forms, err := norm.Resolve(parsed, engine.NormPlaces(m.Arch))
	if err != nil {
		return nil, err
	}
	r := &norm.Recipe{Format: norm.RecipeFormat, Norms: rules}
	finders := map[*arch.Norm]norm.Calibrator{}
	for i, n := range m.Arch.Norms() {
		if f := forms[i]; f.Calibrated() {
			finders[n] = f.Kind.Calibrate(&ops.Norm{Eps: m.Arch.Eps, Center: n.Kind == arch.LayerNorm}, f)
		}
	}
	if len(finders) > 0 {
		tap := &engine.Tap{
			Sites: func(n *arch.Norm) bool { return finders[n] != nil },
			Func: func(h engine.Hidden) {
				if h.Stage == engine.In {
					eachVector(h, finders[h.Site].Add)
				}
			},
		}
		for _, s := range sequences {
			if err := m.Trace(ctx, s, tap); err != nil {
				return nil, err
			}
			r.Tokens += len(s)
		}
	}
	for i, n := range m.Arch.Norms() {
		c := norm.Choice{Site: n.Site, Norm: forms[i].String()}
		if f := finders[n]; f != nil {
			if c.Constants, err = f.Constants(); err != nil {
				return nil, fmt.Errorf("eval: %s: %w", n.Site, err)
			}
		}
		r.Sites = append(r.Sites, c)
	}
	return r, nil
}

// eachVector calls f with each vector that a tap sees and the position of its token.
func eachVector(h engine.Hidden, f func(x []float32, position int)) {
	w := h.Site.Width
	for i := 0; i < len(h.Rows)/w; i++ {
		f(h.Rows[i*w:(i+1)*w], h.Pos+i/h.Site.Groups)
	}
}
