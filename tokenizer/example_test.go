package tokenizer_test

import (
	"fmt"
	"log"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/tokenizer"
)

// A vocabulary needs no more of a file than its metadata.
func open() *tokenizer.Tokenizer {
	f, err := gguf.Open("../tests/testdata/trained/stories260K-F32.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	t, err := tokenizer.New(&f.Meta)
	if err != nil {
		log.Fatal(err) // errors.Is(err, gguf.ErrMissing): the file has no vocabulary
	}
	return t
}

// Text to ids and back.
func Example() {
	t := open()
	ids, err := t.Encode("Once upon a time", tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range ids {
		fmt.Printf("%d %q\n", id, t.Piece(id))
	}
	fmt.Printf("%q\n", t.Decode(ids))
	// Output:
	// 1 "<s>"
	// 403 " Once"
	// 407 " upon"
	// 261 " a"
	// 378 " time"
	// "Once upon a time"
}

// A rune may take several tokens: it is shown when it is whole.
func ExampleDecoder() {
	t := open()
	ids, err := t.Encode("a 日", tokenizer.EncodeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	d := t.NewDecoder()
	for _, id := range ids {
		fmt.Printf("%q ", d.Push(id))
	}
	fmt.Printf("%q\n", d.Flush())
	// Output:
	// " a" " " "" "" "日" ""
}
