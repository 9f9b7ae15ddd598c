package engine

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/normswap/normswap/quant"
)

// A prompt takes memory for one batch of tokens and for its keys and values,
// whatever its length: beyond a batch memory grows by the cache alone.
func TestMemoryIsLinear(t *testing.T) {
	m := open(t, "archs/llama.gguf", Options{Threads: 2})
	const longest = 8 * batchTokens
	tokens := make([]int32, longest)
	for i := range tokens {
		tokens[i] = int32(i % m.Vocab())
	}
	// prefill returns what a prompt of n tokens allocates in all, and what of
	// that is cache.
	prefill := func(n int) (total, cache int) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := m.NewSession(SessionOptions{Context: n, KV: quant.F16})
		if err == nil {
			_, err = s.Eval(context.Background(), tokens[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		for _, c := range s.kv {
			cache += c.Bytes()
		}
		return int(after.TotalAlloc - before.TotalAlloc), cache
	}
	prefill(longest) // the workers take their scratch
	batch, keys := prefill(batchTokens)
	if keys == 0 || batch < keys {
		t.Fatalf("%d bytes for a batch, %d of them cache", batch, keys)
	}
	for n := 2 * batchTokens; n <= longest; n *= 2 {
		total, cache := prefill(n)
		if cache != n/batchTokens*keys {
			t.Errorf("%d tokens: a cache of %d bytes, %d for %d tokens", n, cache, keys, batchTokens)
		}
		// Tokens and lists of blocks grow, doubling, and the runtime may start a
		// thread or two.
		if rest := total - cache - (batch - keys); rest > 16*n+32<<10 {
			t.Errorf("%d tokens: %d bytes beside the cache, %d for a batch", n, total-cache, batch-keys)
		}
	}
}

// A session that the machine has no memory for is refused, through the library
// too, whoever chose the length of its context.
func TestContextBeyondMemory(t *testing.T) {
	m := open(t, "archs/llama.gguf", Options{Threads: 1})
	for _, n := range []int{1 << 40, 1<<63 - 1} {
		if _, err := m.NewSession(SessionOptions{Context: n}); !errors.Is(err, ErrMemory) {
			t.Errorf("%d positions: error %v", n, err)
		}
	}
}
