package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/plain"
)

// A voice is the model with norms of one form, and its session.
type voice struct {
	model   *engine.Model
	session *engine.Session // or nil
}

// swap goes on with norms of another form, and says what that changes: which
// norms are swapped, and on the last text what is predicted. Without a
// form it says which norms there are.
func (d *dialog) swap(ctx context.Context, form string) error {
	was := d.norm.value
	if form == "" {
		note("norms: %s", was)
		return nil
	}
	to := normFlag{was}
	if err := to.Set(form); err != nil {
		return fmt.Errorf("/norm %s: %w", form, err)
	}
	if to.value == was {
		note("norms: %s already", was)
		return nil
	}
	d.voices[was] = voice{d.model, d.session}
	next, known := d.voices[to.value]
	if !known {
		m, err := d.variant(ctx, d.model, engine.NormMode(to.value))
		if err != nil {
			return err
		}
		next.model = m
	}
	if err := d.change(ctx, to.value, next.model); err != nil {
		return err
	}
	d.norm, d.model, d.session = to, next.model, next.session
	return nil
}

// measured is how many tokens of a text are looked at, from its beginning.
const measured = 256

// change says how a model with norms of a form differs from the present one.
func (d *dialog) change(ctx context.Context, form string, next *engine.Model) error {
	norms, swapped := next.Arch.Norms(), 0
	for _, n := range norms {
		if next.Swapped(n) {
			swapped++
		}
	}
	if d.session != nil {
		d.seen = slices.Clone(d.session.Tokens()[:min(d.session.Len(), measured)])
	}
	ids := d.seen
	divergence, moved, err := diverge(ctx, d.model, next, ids, engine.SessionOptions{Context: max(len(ids), 1), KV: d.cacheType()})
	if err != nil {
		return err
	}
	note("norms: %s -> %s; %d of %s swapped", d.norm.value, form, swapped, plain.Count(len(norms), "norm"))
	if len(ids) > 0 {
		note("on %s of the last text: KL %.2g a token, %s of the most likely tokens changed",
			plain.Count(len(ids), "token"), divergence, plain.Percent(float64(moved)/float64(len(ids))))
	}
	return nil
}

// diverge returns the mean Kullback-Leibler divergence KL(P||Q) in nats of what two
// models predict behind each token, and how many of the most likely tokens differ.
func diverge(ctx context.Context, p, q *engine.Model, ids []int32, o engine.SessionOptions) (mean float64, moved int, err error) {
	a, err := p.NewSession(o)
	if err != nil {
		return 0, 0, err
	}
	b, err := q.NewSession(o)
	if err != nil {
		return 0, 0, err
	}
	const piece = 16 // bounds the logits that are kept
	for at := 0; at < len(ids); at += piece {
		tokens := ids[at:min(at+piece, len(ids))]
		var want [][]float32
		err := a.EvalAll(ctx, tokens, func(_ int, logits []float32) error {
			want = append(want, append([]float32(nil), logits...))
			return nil
		})
		if err == nil {
			err = b.EvalAll(ctx, tokens, func(i int, logits []float32) error {
				d, other := klTop(want[i], logits)
				mean += d / float64(len(ids))
				if other {
					moved++
				}
				return nil
			})
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return mean, moved, nil
}

// klTop returns KL(P||Q) of two rows of logits, and whether their largest ones differ.
func klTop(p, q []float32) (kl float64, differ bool) {
	logP, logQ := engine.LogSumExp(p), engine.LogSumExp(q)
	topP, topQ := 0, 0
	for i, v := range p {
		if v > p[topP] {
			topP = i
		}
		if q[i] > q[topQ] {
			topQ = i
		}
		if lp := float64(v) - logP; !math.IsInf(lp, -1) {
			kl += math.Exp(lp) * (lp - (float64(q[i]) - logQ))
		}
	}
	return kl, topP != topQ
}
