package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/normswap/normswap/store"
)

// A model is found by its name, and fetched if no store has it.
func Example() {
	const name = "hf:HuggingFaceTB/SmolLM2-135M"
	path, err := store.Find(name)
	if errors.Is(err, store.ErrNotFound) {
		var ref store.Ref
		if ref, err = store.ParseRef(name); err == nil {
			path, err = store.DefaultHub().Pull(context.Background(), ref, nil)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)
}
