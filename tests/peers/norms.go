package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/normswap/normswap/internal/contender"
	"github.com/normswap/normswap/ops"
)

// A chain is a sequence of ggml operations and what replaces it here: the norm
// with its gain and bias.
type chain struct {
	name string
	norm ops.Norm
}

// chains returns the sequences that `peer norms` times, by its names, with gain
// and bias of width d.
func chains(d int) []chain {
	gain, bias := randomRow(d, 1), randomRow(d, 0)
	layer := ops.Norm{Gain: gain, Bias: bias, Eps: 1e-5, Center: true}
	rms := ops.Norm{Gain: gain, Eps: 1e-5}
	return []chain{
		{"norm+mul+add", layer},
		{"rms_norm+mul", rms},
	}
}

func randomRow(d int, mean float64) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(d)))
	x := make([]float32, d)
	for i := range x {
		x[i] = float32(mean + 0.3*r.NormFloat64())
	}
	return x
}

// nanoseconds is our best time per row, measured as `peer norms` measures
// ggml's: one thread, each result the next input, the least of ten rounds.
func (c *chain) nanoseconds(pool *ops.Pool, d, rows int) float64 {
	const links = 8
	x := randomRow(d*rows, 0.2)
	to := [2][]float32{make([]float32, d*rows), make([]float32, d*rows)}
	best := math.Inf(1)
	for range 10 {
		n := 0
		start := time.Now()
		var spent time.Duration
		for spent < time.Millisecond {
			// As ggml's graph, each chain begins with x: gains multiplied over
			// and over would end in subnormal numbers, which are slow.
			from := x
			for i := range links {
				pool.Norm(to[i%2], from, d, &c.norm)
				from = to[i%2]
			}
			n += links * rows
			spent = time.Since(start)
		}
		best = min(best, float64(spent.Nanoseconds())/float64(n))
	}
	return best
}

// normKernels prints what a norm costs on both sides: one row, as when a token
// is generated, and several, as in a prompt.
func normKernels(pairs int) error {
	pool := ops.NewPool(1)
	defer pool.Close()
	dims := []int{768, 2048, 4096, 8192}
	fmt.Printf("\nNorms, nanoseconds per row, one thread, rows in cache: medians of %d measurements of each side in turn;\n", pairs)
	fmt.Printf("the ratio is llama.cpp's time over ours.\n\n")
	fmt.Println("| ggml's operations | rows | d | llama.cpp | ours | ratio | min..max |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---|")
	for _, rows := range []int{1, 16} {
		for _, d := range dims {
			all := chains(d)
			theirs, ours := make([][]float64, len(all)), make([][]float64, len(all))
			for range pairs {
				ns, err := peerNorms(d, rows)
				if err != nil {
					return err
				}
				for i := range all {
					if ns[all[i].name] <= 0 {
						return fmt.Errorf("peer norms gave no figure for %s", all[i].name)
					}
					theirs[i] = append(theirs[i], ns[all[i].name])
					ours[i] = append(ours[i], all[i].nanoseconds(pool, d, rows))
				}
			}
			for i := range all {
				r := ratios(theirs[i], ours[i])
				fmt.Printf("| %s | %d | %d | %.0f | %.0f | %.2f | %.2f..%.2f |\n", all[i].name, rows, d,
					contender.Median(theirs[i]), contender.Median(ours[i]), contender.Median(r), slices.Min(r), slices.Max(r))
			}
		}
	}
	return nil
}

// peerNorms runs `peer norms` for one width and returns nanoseconds per row by
// the chain's name.
func peerNorms(d, rows int) (map[string]float64, error) {
	out, err := execute(opponent(), nil, "norms", "--dims", strconv.Itoa(d), "--rows", strconv.Itoa(rows))
	if err != nil {
		return nil, err
	}
	ns := map[string]float64{}
	for dec := json.NewDecoder(bytes.NewReader(out.stdout)); ; {
		var line struct {
			Op string  `json:"op"`
			NS float64 `json:"ns"`
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return ns, nil
		} else if err != nil {
			return nil, fmt.Errorf("peer norms: %w", err)
		}
		ns[line.Op] = line.NS
	}
}
