package ops_test

import (
	"encoding/binary"
	"fmt"
	"log"
	"math"

	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// The two norms of a row. They differ by its mean, 2, which LayerNorm removes.
func Example() {
	x := []float32{1, 3, 1, 3}
	y := make([]float32, len(x))
	ops.LayerNorm(y, x, nil, nil, 1e-5)
	fmt.Printf("LayerNorm %.3f\n", y)
	ops.RMSNorm(y, x, nil, nil, 1e-5)
	fmt.Printf("RMSNorm   %.3f\n", y)
	fmt.Printf("mean %v, sum of squares %v\n", ops.Mean(x), ops.SumSquares(x))
	// Output:
	// LayerNorm [-1.000 1.000 -1.000 1.000]
	// RMSNorm   [0.447 1.342 0.447 1.342]
	// mean 2, sum of squares 20
}

// A norm with its parameters, in place.
func ExampleNorm() {
	norm := ops.Norm{Gain: []float32{1, 1, 2, 2}, Bias: []float32{0, 0, 1, 1}, Eps: 1e-5, Center: true}
	x := []float32{1, 3, 1, 3}
	norm.Apply(x, x)
	fmt.Printf("%.2f\n", x)
	// Output:
	// [-1.00 1.00 -1.00 3.00]
}

// The rows of a batch, spread over the threads of a pool.
func ExamplePool_Norm() {
	pool := ops.NewPool(0)
	defer pool.Close()
	rows := []float32{
		3, 4,
		-6, 8,
	}
	pool.Norm(rows, rows, 2, &ops.Norm{Eps: 1e-6}) // Center is not set: RMSNorm
	fmt.Printf("%.3f\n", rows)
	// Output:
	// [0.849 1.131 -0.849 1.131]
}

// A product with weights as a file stores them.
func ExamplePool_MatMul() {
	var weights []byte
	for _, w := range []float32{1, 2, 3, 4, 5, 6} {
		weights = binary.LittleEndian.AppendUint32(weights, math.Float32bits(w))
	}
	w, err := ops.NewMatrix(quant.F32, 3, 2, weights) // 3 outputs of 2 inputs
	if err != nil {
		log.Fatal(err)
	}
	pool := ops.NewPool(0)
	defer pool.Close()
	var x ops.Input
	pool.Prepare(&x, []float32{10, 1}, 2, ops.FormsOf(false, &w)) // one row of 2
	y := make([]float32, 3)
	pool.MatMul(&x, ops.Product{Dst: y, W: &w, Bias: []float32{0.5, 0.5, 0.5}})
	fmt.Println(y)
	// Output:
	// [12.5 34.5 56.5]
}
