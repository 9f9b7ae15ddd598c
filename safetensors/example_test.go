package safetensors_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/normswap/normswap/safetensors"
)

// A file is written from front to back, and read again.
func Example() {
	var file bytes.Buffer
	w, err := safetensors.NewWriter(&file, map[string]string{"format": "pt"}, []safetensors.Info{{Name: "w", Dtype: "F32", Shape: []int{2, 1}}})
	if err == nil {
		err = w.Tensor(make([]byte, 8))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
	tensors, metadata, err := safetensors.Parse(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tensors[0].Name, tensors[0].Dtype, tensors[0].Shape, len(tensors[0].Data), metadata)
	// Output: w F32 [2 1] 8 map[format:pt]
}
