package corpus_test

import (
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/normswap/normswap/corpus"
)

// The second of two shares of a text gets every second window.
func Example() {
	text := strings.NewReader("one two three four five six seven eight nine ten")
	r, err := corpus.Read(text, corpus.Options{
		Size: 2, First: -1, Shard: 1, Shards: 2,
		Encode: func(text string, _ bool) (ids []int32, err error) { // a tokenizer's task
			for _, word := range strings.Fields(text) {
				ids = append(ids, int32(len(word)))
			}
			return ids, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		w, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("window", w.Seq, "has ids", w.IDs)
	}
	// Output:
	// window 1 has ids [5 4]
	// window 3 has ids [5 5]
}
