package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/normswap/normswap/plugin/llamacpp"
)

// bench times a prompt in one batch and tokens one by one: without the callback,
// with one that wants nothing, with a tap on every norm, and with every norm
// replaced. The four take turns.
func bench(ctx context.Context, w io.Writer, o options, m *llamacpp.Model, _ []int32) error {
	lib, err := llamacpp.Load(o.libs)
	if err != nil {
		return err
	}
	plain, err := lib.Open(o.model, llamacpp.Options{Context: m.Context(), Threads: o.cpus, GPULayers: o.ngl, Plain: true})
	if err != nil {
		return err
	}
	defer plain.Close()
	mode := "rms-naive"
	if !m.Sites()[len(m.Sites())-1].Center {
		mode = "layer"
	}
	swap, err := m.Swap(mode)
	if err != nil {
		return err
	}
	const steps = 24
	prompt := make([]int32, max(1, min(128, m.Context()-steps)))
	for i := range prompt {
		prompt[i] = int32(i*7+3) % int32(m.Vocab())
	}
	ways := []struct {
		name  string
		model *llamacpp.Model
		hook  *llamacpp.Hook
	}{
		{"no callback", plain, nil},
		{"callback, nothing wanted", m, nil},
		{"tap on every norm", m, &llamacpp.Hook{Tap: func(llamacpp.Vectors) {}}},
		{mode + " at every norm", m, swap},
	}
	batch, single := make([][]float64, len(ways)), make([][]float64, len(ways))
	for range max(1, o.rounds) {
		for i, way := range ways {
			way.model.Reset()
			start := time.Now()
			if _, err := way.model.Eval(ctx, prompt, way.hook); err != nil {
				return err
			}
			batch[i] = append(batch[i], float64(len(prompt))/time.Since(start).Seconds())
			n := min(steps, m.Context()-len(prompt))
			start = time.Now()
			for range n {
				if _, err := way.model.Eval(ctx, prompt[:1], way.hook); err != nil {
					return err
				}
			}
			single[i] = append(single[i], float64(n)/time.Since(start).Seconds())
		}
	}
	fmt.Fprintf(w, "%s, %d norms, tokens/s, medians of %d in turn\n", llamacpp.ModelName(o.model), len(m.Sites()), len(batch[0]))
	fmt.Fprintf(w, "%-26s %12s %12s\n", "", fmt.Sprintf("prompt %d", len(prompt)), "one by one")
	for i, way := range ways {
		fmt.Fprintf(w, "%-26s %12.0f %12.0f\n", way.name, median(batch[i]), median(single[i]))
	}
	return nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
