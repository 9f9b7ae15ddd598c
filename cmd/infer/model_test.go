package main

import (
	"sync"
	"testing"

	"github.com/normswap/normswap/gguf"
)

// TestProgressOfTheCancelled: a load that is given up goes on for a moment,
// and tells how far it has come while its progress bar is taken away.
func TestProgressOfTheCancelled(t *testing.T) {
	var o modelFlags
	options, done, err := o.options(new(gguf.File), "loading")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range int64(99) {
			options.Progress(n, 100)
		}
	})
	done()
	wg.Wait()
}
