package quant_test

import (
	"fmt"
	"log"

	"github.com/normswap/normswap/quant"
)

// A row of 32 values becomes one block: a scale and 32 small integers.
func Example() {
	row := make([]float32, 32)
	for i := range row {
		row[i] = float32(i) / 10
	}
	size, err := quant.Q4_0.RowBytes(len(row))
	if err != nil {
		log.Fatal(err)
	}
	block := make([]byte, size)
	if err := quant.Encode(block, quant.Q4_0, row); err != nil {
		log.Fatal(err)
	}
	back := make([]float32, len(row))
	if err := quant.Decode(back, quant.Q4_0, block); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v: %d bytes; 1.7 is stored as %.3f\n", quant.Q4_0, size, back[17])
	// Output:
	// Q4_0: 18 bytes; 1.7 is stored as 1.877
}

// The table of types: how many values a block holds, in how many bytes.
func ExampleType_Format() {
	t, err := quant.ParseType("q4_k")
	if err != nil {
		log.Fatal(err)
	}
	f, _ := t.Format()
	fmt.Printf("%s: %d values in %d bytes, %.2f bits each\n", f.Name, f.Items, f.Bytes, 8*float64(f.Bytes)/float64(f.Items))
	_, err = t.RowBytes(100)
	fmt.Println(err)
	// Output:
	// Q4_K: 256 values in 144 bytes, 4.50 bits each
	// quant: 100 values are not whole blocks of Q4_K, which hold 256
}
