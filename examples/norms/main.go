// Command norms uses the norm kernels alone, as another program would: it
// shows identity 1 of the paper, which is all that tells RMSNorm from
// LayerNorm.
//
//	go run ./examples/norms
package main

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/ops"
)

func main() {
	x := []float32{3, -1, 4, 1, -5, 9, 2, -6}
	layer, rms := make([]float32, len(x)), make([]float32, len(x))
	const eps = 1e-12
	ops.LayerNorm(layer, x, nil, nil, eps)
	ops.RMSNorm(rms, x, nil, nil, eps)

	// theta is the angle of x with the vector of ones.
	d := float64(len(x))
	cos := math.Sqrt(d) * ops.Mean(x) / math.Sqrt(ops.SumSquares(x))
	sin := math.Sqrt(1 - cos*cos)
	fmt.Printf("theta = %.1f degrees\n", math.Acos(cos)*180/math.Pi)
	fmt.Println("LayerNorm  RMSNorm  sin*LayerNorm+cos")
	for i := range x {
		fmt.Printf("%9.4f  %7.4f  %17.4f\n", layer[i], rms[i], sin*float64(layer[i])+cos)
	}
}
