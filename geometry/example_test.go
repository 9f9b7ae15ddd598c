package geometry_test

import (
	"fmt"

	"github.com/normswap/normswap/geometry"
)

// What a runner does: describe its norms, hand over what they read and wrote,
// and take the result.
func Example() {
	site := geometry.Site{
		Name: "blk.0.attn_norm", Layer: 0, Role: "ln1", Center: true,
		Eps: 0, Dim: 4, Gain: []float32{2, 2, 2, 2},
	}
	c, err := geometry.NewCollector(geometry.Model{Name: "example", Norm: "layernorm", Dim: 4}, []geometry.Site{site}, geometry.Options{})
	if err != nil {
		panic(err)
	}
	c.Add(geometry.Batch{
		Site: 0, Tokens: []int32{17},
		In:  []float32{3, 1, 3, 1},   // mean 2, deviations 1
		Out: []float32{2, -2, 2, -2}, // (x - 2)/1 * 2
	})
	result, err := c.State().Result(false)
	if err != nil {
		panic(err)
	}
	in, out := result.Sites[0], result.Sites[2] // and std between them
	fmt.Printf("angle %.2f to %.2f degrees\n", in.Angle.Mean, out.Angle.Mean)
	fmt.Printf("energy along 1: %.0f %% to %.0f %%\n", 100*in.Share.Mean, 100*out.Share.Mean)
	fmt.Printf("rotation %.2f degrees\n", result.Rotations[0].InOut.Mean)
	// Output:
	// angle 26.57 to 90.00 degrees
	// energy along 1: 80 % to 0 %
	// rotation 63.43 degrees
}
