package norm_test

import (
	"fmt"
	"log"

	"github.com/normswap/normswap/norm"
)

// Rules say which norm of a model gets which form: of several for a norm the last
// one counts.
func Example() {
	rules, err := norm.ParseRules("rms-naive,ln2=fixed,final=native")
	if err != nil {
		log.Fatal(err)
	}
	places := []norm.Place{
		{Site: "blk.0.attn_norm", Role: "ln1", Layer: 0}, {Site: "blk.0.ffn_norm", Role: "ln2", Layer: 0}, {Site: "output_norm", Role: "final", Layer: -1},
	}
	forms, err := norm.Resolve(rules, places)
	if err != nil {
		log.Fatal(err)
	}
	for i, f := range forms {
		fmt.Println(places[i].Site, "becomes", f)
	}
	// Output:
	// blk.0.attn_norm becomes rms-naive
	// blk.0.ffn_norm becomes fixed
	// output_norm becomes native
}
