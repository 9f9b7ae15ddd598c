package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	plugin "github.com/normswap/normswap/plugin/ollama"
)

// agreement prints how far the logits of all tokens are from those of
// normswap's engine, with each norm.
func agreement(ctx context.Context, w io.Writer, m plugin.Model, s *plugin.Session, kinds []arch.NormKind, tokens []int32, o options) error {
	ours, err := engine.Open(context.Background(), o.path, engine.Options{Threads: o.cpus, FloatActivations: true})
	if err != nil {
		return err
	}
	defer ours.Close()
	session, err := ours.NewSession(engine.SessionOptions{Context: len(tokens)})
	if err != nil {
		return err
	}
	var want []float32
	err = session.EvalAll(ctx, tokens, func(_ int, logits []float32) error {
		want = append(want, logits...)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "logits of %d tokens beside normswap's engine:\n", len(tokens))
	for _, kind := range kinds {
		got, err := evaluate(ctx, m, s, kind, tokens, true)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %-10s NMSE %.1e\n", kind, plugin.NMSE(got, want))
	}
	fmt.Fprintln(w)
	return nil
}

// evaluate starts the session anew with a norm, and evaluates tokens.
func evaluate(ctx context.Context, m plugin.Model, s *plugin.Session, kind arch.NormKind, tokens []int32, all bool) ([]float32, error) {
	if err := m.SetNorm(kind); err != nil {
		return nil, err
	}
	if err := s.Reset(); err != nil {
		return nil, err
	}
	return s.Eval(ctx, tokens, all)
}

// speeds times the norms in turn and prints the medians, and that of the ratios
// of each pair, with its quartiles.
func speeds(ctx context.Context, w io.Writer, m plugin.Model, s *plugin.Session, kinds []arch.NormKind, o options) error {
	tokens := ids(m, o.prefill+o.n)
	prefill, decode := map[arch.NormKind][]float64{}, map[arch.NormKind][]float64{}
	for round := -1; round < o.rounds; round++ { // the first is to warm up
		for _, kind := range kinds {
			start := time.Now()
			if _, err := evaluate(ctx, m, s, kind, tokens[:o.prefill], false); err != nil {
				return err
			}
			middle := time.Now()
			for i := range o.n {
				if _, err := s.Eval(ctx, tokens[o.prefill+i:][:1], false); err != nil {
					return err
				}
			}
			if round >= 0 {
				prefill[kind] = append(prefill[kind], float64(o.prefill)/middle.Sub(start).Seconds())
				decode[kind] = append(decode[kind], float64(o.n)/time.Since(middle).Seconds())
			}
		}
		slices.Reverse(kinds) // neither is always the first
	}
	slices.Sort(kinds)
	fmt.Fprintf(w, "tokens/s, medians of %d runs in turn, threads: %d\n", o.rounds, o.cpus)
	fmt.Fprintf(w, "  %-10s %16s %16s\n", "", fmt.Sprintf("prefill %d", o.prefill), fmt.Sprintf("decode %d", o.n))
	for _, kind := range kinds {
		fmt.Fprintf(w, "  %-10s %16.1f %16.1f\n", kind, quantile(prefill[kind], 0.5), quantile(decode[kind], 0.5))
	}
	if len(kinds) == 2 {
		fmt.Fprintf(w, "  %-10s %16s %16s\n", "ratio", ratio(prefill), ratio(decode))
	}
	return nil
}

// ratio is RMSNorm's speed over LayerNorm's: the median of the pairs, and the
// quartiles.
func ratio(speed map[arch.NormKind][]float64) string {
	pairs := slices.Clone(speed[arch.RMSNorm])
	for i := range pairs {
		pairs[i] /= speed[arch.LayerNorm][i]
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", quantile(pairs, 0.5), quantile(pairs, 0.25), quantile(pairs, 0.75))
}

// quantile returns the value that a share q of x lies below.
func quantile(x []float64, q float64) float64 {
	x = slices.Sorted(slices.Values(x))
	at := q * float64(len(x)-1)
	i := int(at)
	j := min(i+1, len(x)-1)
	return x[i] + (at-float64(i))*(x[j]-x[i])
}
