package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// goroutines waits until no more than most are left. Minutes are a guard
// against those that never end, on a machine however busy.
func goroutines(t *testing.T, most int) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		n := runtime.NumGoroutine()
		if n <= most {
			return
		}
		if time.Since(start) > 5*time.Minute {
			stack := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, want %d:\n%s", n, most, stack[:runtime.Stack(stack, true)])
		}
	}
}

// TestCancelStorm: 64 sessions of one model at once, each of which is
// cancelled again and again at random moments, end with the logits of one that
// runs alone; and nothing is left running.
func TestCancelStorm(t *testing.T) {
	before := runtime.NumGoroutine()
	shape := toy.Tiny("gptneox", nil)
	shape.Context = 512
	m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, shape, "Q8_0", 1)), Options{Threads: 3})
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]int32, 200)
	for i := range tokens {
		tokens[i] = int32(i * 7 % 128)
	}
	want, err := newSession(t, m, SessionOptions{KV: quant.F16}).Eval(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 4
	var cancelled, finished sync.Map // counts would tell less when it fails
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			s, err := m.NewSession(SessionOptions{KV: quant.F16})
			if err != nil {
				t.Error(err)
				return
			}
			for r := range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				switch r % 4 {
				case 1:
					cancel()
				case 2, 3: // most calls wait for others
					time.AfterFunc(time.Duration(rng.IntN(64))*500*time.Microsecond, cancel)
				}
				logits, _, err := s.Sync(ctx, tokens)
				switch {
				case errors.Is(err, context.Canceled):
					cancelled.Store([2]int{i, r}, true)
				case err != nil:
					t.Error(err)
				case !slices.Equal(logits, want):
					t.Error("a session among many that are cancelled gives other logits than one alone")
				default:
					finished.Store([2]int{i, r}, true)
				}
				cancel()
			}
			logits, _, err := s.Sync(context.Background(), tokens)
			if err != nil || !slices.Equal(logits, want) {
				t.Errorf("after the storm: %v, or other logits", err)
			}
		})
	}
	wg.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	t.Logf("%d calls cancelled, %d finished", count(&cancelled), count(&finished))
	if count(&cancelled) == 0 {
		t.Error("nothing was cancelled")
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	goroutines(t, before)
}

// TestNoGoroutines: whatever ends a model or a load, its workers end too.
func TestNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	f16, f32 := toytest.Bytes(t, toy.Tiny("gpt2", nil), "F16", 1), toytest.Bytes(t, toy.Tiny("gpt2", nil), "F32", 1)
	for range 3 {
		for _, mode := range NormModes {
			m, err := Load(t.Context(), toytest.Parse(t, f16), Options{Threads: 4, Norm: mode})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			for _, err := range newSession(t, m, SessionOptions{}).Generate(ctx, []int32{1, 2}, GenerateOptions{Max: 5}) {
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
			cancel()
			if err := errors.Join(m.Close(), m.Close()); err != nil {
				t.Error(err)
			}
		}
		bad := toytest.Parse(t, slices.Clone(f32))
		x, _ := bad.Tensor("blk.0.attn_output.weight")
		poison(x, float32(math.NaN()))
		for _, o := range []Options{{Threads: -1}, {Norm: "of no kind"}, {Threads: 4, Norm: RMSFolded}} {
			if _, err := Load(t.Context(), bad, o); err == nil {
				t.Errorf("%+v loads", o)
			}
		}
	}
	goroutines(t, before)
}
