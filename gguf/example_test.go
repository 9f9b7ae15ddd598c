package gguf_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A file is written from front to back, and read again.
func Example() {
	var meta gguf.Meta
	for _, kv := range []gguf.KV{{Key: "general.architecture", Value: "example"}, {Key: "example.block_count", Value: uint32(12)}} {
		if err := meta.Set(kv.Key, kv.Value); err != nil {
			log.Fatal(err)
		}
	}
	weights := make([]byte, 6*4)
	if err := quant.Encode(weights, quant.F32, []float32{1, 2, 3, 4, 5, 6}); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	w, err := gguf.NewWriter(&file, 3, &meta, []gguf.TensorInfo{{Name: "w", Type: quant.F32, Dims: []int{3, 2}}})
	if err == nil {
		err = w.Tensor("w", weights)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		log.Fatal(err)
	}

	f, err := gguf.Parse(file.Bytes()) // or Open, for a file on disk
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	layers, err := gguf.Get[int](&f.Meta, "example.block_count")
	if err != nil {
		log.Fatal(err)
	}
	t, _ := f.Tensor("w")
	values, err := t.Float32s()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(layers, "layers;", t.Name, t.Type, t.Dims, values)
	// Output:
	// 12 layers; w F32 [3 2] [1 2 3 4 5 6]
}

// A key may be missing, and it may be what it should not be.
func ExampleGet() {
	var meta gguf.Meta
	if err := meta.Set("general.name", "Tiny"); err != nil {
		log.Fatal(err)
	}
	_, err := gguf.Get[string](&meta, "general.license")
	fmt.Println(errors.Is(err, gguf.ErrMissing), err)
	_, err = gguf.Get[int](&meta, "general.name")
	fmt.Println(errors.Is(err, gguf.ErrMissing), err)
	// Output:
	// true gguf: key "general.license" is missing
	// false gguf: key "general.name" is a string, want an integer
}

// What is wrong with a file, and where.
func ExampleFormatError() {
	_, err := gguf.Parse([]byte("GGUF\x09\x00\x00\x00"))
	var format *gguf.FormatError
	if errors.As(err, &format) {
		fmt.Printf("at byte %d: %s: %v\n", format.Off, format.What, format.Val)
	}
	// Output:
	// at byte 4: unknown version, want 2 or 3: 9
}

// The header of a file is read by ranges: of a file on disk here, and as well of
// one behind HTTP, whose ReadAt asks for "Range: bytes=...".
func ExampleReadHeader() {
	src, err := os.Open("../tests/testdata/archs/gpt2.gguf") // an io.ReaderAt
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		log.Fatal(err)
	}
	f, err := gguf.ReadHeader(src, info.Size())
	if err != nil {
		log.Fatal(err)
	}
	name, err := gguf.Get[string](&f.Meta, "general.architecture")
	if err != nil {
		log.Fatal(err)
	}
	bytes := 0
	for i := range f.Tensors {
		bytes += f.Tensors[i].Size()
	}
	fmt.Println(name, "of", len(f.Tensors), "tensors,", bytes, "bytes")
	// Output: gpt2 of 29 tensors, 150784 bytes
}
