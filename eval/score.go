package eval

import (
	"math"
	"runtime"
	"sync"
)

// line is what a model predicts after one token.
type line struct {
	logits []float32
	lse    float64 // log of the sum of exp(logits)
	top    int
}

// scored is what one token adds to a result.
type scored struct{ nll, dnll, kl, dp, dlogit float64 }

// score takes in a piece whose successors are next.
func (r *Runner) score(next []int32) {
	first := r.lines[0]
	each(len(next), func(t int) { first[t].sum() })
	out := make([]scored, len(next))
	for i := range r.results {
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
			res.DNLL.Add(s.dnll)
			res.KL.Add(s.kl)
			res.KLBins.Add(s.kl)
			res.DeltaP2.Add(s.dp * s.dp)
			if !math.IsInf(s.kl, 1) {
				res.KLMax = max(res.KLMax, s.kl)
			}
			if math.IsInf(s.dlogit, 1) {
				res.Apart++
			} else {
				res.MaxLogit = max(res.MaxLogit, s.dlogit)
			}
			res.open.n, res.open.kl, res.open.dnll = res.open.n+1, res.open.kl+s.kl, res.open.dnll+s.dnll
			if lines[t].top == first[t].top {
				res.SameTop++
				res.open.same++
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

// against compares a prediction with that of the first model, whose KL
// divergence from it is
//
//	sum over i of p[i] * (log p[i] - log q[i])
//
// A token with a logit of -Inf has the probability 0. Where p[i] is 0 the term
// is 0, where only q[i] is 0 it is infinite.
func (l *line) against(first *line, next int) scored {
	nll := l.lse - float64(l.logits[next])
	if l == first {
		return scored{nll: nll}
	}
	was := first.lse - float64(first.logits[next])
	s := scored{nll: nll, dnll: nll - was, dp: math.Exp(-nll) - math.Exp(-was)}
	if math.IsNaN(s.dnll) { // both are infinite
		s.dnll = 0
	}
	shift := l.lse - first.lse
	for i, v := range first.logits {
		d := float64(v) - float64(l.logits[i])
		if math.IsNaN(d) { // both are -Inf
			d = 0
		}
		if p := math.Exp(float64(v) - first.lse); p > 0 {
			s.kl += p * (d + shift)
		}
		s.dlogit = max(s.dlogit, math.Abs(d))
	}
	return s
}
