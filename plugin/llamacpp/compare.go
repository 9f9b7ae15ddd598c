package llamacpp

import (
	"context"
	"errors"
	"math"
)

// A Difference is what swapped norms do to a model's predictions of the next
// token, over the positions of a text.
type Difference struct {
	Tokens          int
	Native, Swapped float64 // cross entropy, nats a token
	KL, KLError     float64 // Kullback-Leibler divergence of the swapped predictions from the native, nats a token, and its standard error over windows
	SameTop1, NMSE  float64 // share of positions with the same most likely token; of the logits
}

// Compare runs windows of a text with the norms as they are and with those of a
// hook.
func (m *Model) Compare(ctx context.Context, ids []int32, swap *Hook) (*Difference, error) {
	var d Difference
	var wrong, all float64
	var windows []float64 // KL of each
	same := 0
	for _, w := range m.Windows(ids) {
		if len(w) < 2 {
			break
		}
		m.Reset()
		native, err := m.Eval(ctx, w, nil)
		if err != nil {
			return nil, err
		}
		m.Reset()
		swapped, err := m.Eval(ctx, w, swap)
		if err != nil {
			return nil, err
		}
		kl := 0.0
		for i, next := range w[1:] {
			a, b := native[i*m.vocab:][:m.vocab], swapped[i*m.vocab:][:m.vocab]
			la, topA := logSum(a)
			lb, topB := logSum(b)
			d.Native += la - float64(a[next])
			d.Swapped += lb - float64(b[next])
			for v := range a {
				x, y := float64(a[v]), float64(b[v])
				if p := math.Exp(x - la); p > 0 {
					kl += p * ((x - la) - (y - lb))
				}
				wrong += (x - y) * (x - y)
				all += x * x
			}
			if topA == topB {
				same++
			}
		}
		d.Tokens += len(w) - 1
		d.KL += kl
		windows = append(windows, kl/float64(len(w)-1))
	}
	if d.Tokens == 0 {
		return nil, errors.New("llamacpp: a text to compare on has two tokens or more")
	}
	if all == 0 {
		return nil, errors.New("llamacpp: llama.cpp makes no logits of this model, as of encoders")
	}
	n := float64(d.Tokens)
	d.Native, d.Swapped, d.KL, d.SameTop1, d.NMSE = d.Native/n, d.Swapped/n, d.KL/n, float64(same)/n, wrong/all
	d.KLError = math.NaN()
	if k := float64(len(windows)); k > 1 {
		var mean, sum float64
		for _, w := range windows {
			mean += w / k
		}
		for _, w := range windows {
			sum += (w - mean) * (w - mean)
		}
		d.KLError = math.Sqrt(sum / (k - 1) / k)
	}
	return &d, nil
}

// logSum returns the logarithm of the sum of exponentials, and the index of the
// largest element.
func logSum(x []float32) (sum float64, top int) {
	for i, v := range x {
		if v > x[top] {
			top = i
		}
	}
	largest := float64(x[top])
	for _, v := range x {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum), top
}
