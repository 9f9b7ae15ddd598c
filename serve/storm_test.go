package serve_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/serve"
)

var storm = flag.Duration("storm", 6*time.Second, "how long TestStorm lasts; with -short it is a tenth of that")

// A request of the storm, and what it gets alone.
type wanted struct {
	path, body, answer string
	streams            bool
}

// volatile are the parts of an answer that are never the same.
var volatile = regexp.MustCompile(`"(id|created)": ?("[^"]*"|[0-9]+),?`)

func (q *wanted) ask(ctx context.Context, h *httptest.Server) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		return 0, "", err
	}
	a, err := h.Client().Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, volatile.ReplaceAllString(string(b), ""), err
}

// stormRequests are requests of all kinds, to models of several norms.
func stormRequests() (list []wanted) {
	models := []string{"tales", "tales:rms-naive", "tales@mine"}
	for i := range 24 {
		model := models[i%3]
		list = append(list,
			wanted{path: "/v1/completions", streams: i%2 == 0,
				body: fmt.Sprintf(`{"model": %q, "prompt": %q, "max_tokens": %d, "temperature": %d, "seed": %d, "logprobs": %d, "stream": %v}`,
					model, king[:10+i], 3+i, i%2, i, i%3, i%2 == 0)},
			wanted{path: "/v1/completions",
				body: fmt.Sprintf(`{"model": %q, "prompt": [[5, 6, %d], [7]], "max_tokens": 4, "n": 2, "seed": %d, "logit_bias": {"9": 3}, "frequency_penalty": 1}`, model, 8+i, i)},
			wanted{path: "/v1/completions",
				body: fmt.Sprintf(`{"model": %q, "prompt": %q, "max_tokens": 60, "temperature": 0, "stop": ["king"]}`, model, strings.Repeat(king, 1+i%2))})
	}
	for _, model := range models {
		list = append(list,
			wanted{path: "/v1/score", body: fmt.Sprintf(`{"model": %q, "context": %q, "continuations": [" daughters", " sons"]}`, model, king)},
			wanted{path: "/v1/embeddings", body: fmt.Sprintf(`{"model": %q, "input": ["a king", "a wolf"]}`, model)})
	}
	return list
}

// TestStorm: 64 clients at once, of whom some go away and some send nonsense, get
// what each gets alone, and neither memory nor goroutines grow. Sessions are forked,
// tokens guessed, and models loaded with their first requests meanwhile.
func TestStorm(t *testing.T) {
	lasts := *storm
	if testing.Short() {
		lasts /= 10
	}
	var m *engine.Model
	h, m := begin(t, "", serve.Options{Parallel: 6, Context: 256, Lookup: true, Draft: fromModel, Recipes: []serve.Recipe{
		{Name: "mine", Load: func(ctx context.Context) (*engine.Model, error) {
			return m.Variant(ctx, engine.Options{Threads: 1, Norm: engine.RMSFolded})
		}}}})
	list := stormRequests()
	for i := range list {
		q := &list[i]
		status, answer, err := q.ask(t.Context(), h)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s (%v)", q.body, status, answer, err)
		}
		q.answer = answer
	}
	const clients = 64
	var right, gone, refused atomic.Int64
	round := func(until time.Time) {
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(c), uint64(until.UnixNano())))
				for time.Now().Before(until) && !t.Failed() {
					q := list[rng.IntN(len(list))]
					ctx, cancel := context.WithCancel(t.Context())
					switch rng.IntN(5) {
					case 0: // it goes away
						time.AfterFunc(time.Duration(rng.IntN(100))*time.Millisecond, cancel)
						if status, answer, err := q.ask(ctx, h); err == nil && status == http.StatusOK && answer != q.answer {
							t.Errorf("%s: %s among others, %s alone", q.body, answer, q.answer)
						}
						gone.Add(1)
					case 1:
						q.body = q.body[:rng.IntN(len(q.body)-1)]
						if status, answer, err := q.ask(ctx, h); err != nil || status != http.StatusBadRequest {
							t.Errorf("half a request: %d %s (%v)", status, answer, err)
						}
						refused.Add(1)
					default:
						if status, answer, err := q.ask(ctx, h); err != nil || status != http.StatusOK || answer != q.answer {
							t.Errorf("%s: %d %s among others, %s alone (%v)", q.body, status, answer, q.answer, err)
						}
						right.Add(1)
					}
					cancel()
				}
			})
		}
		wg.Wait()
	}
	round(time.Now().Add(lasts / 4))
	before, goroutines := settle(t, h)
	round(time.Now().Add(lasts - lasts/4))
	after, left := settle(t, h)
	t.Logf("%d right answers, %d clients gone, %d refused; heap %d KiB, then %d KiB; %d goroutines, then %d",
		right.Load(), gone.Load(), refused.Load(), before>>10, after>>10, goroutines, left)
	if after > before+before/4+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if left > goroutines {
		t.Errorf("%d goroutines, %d before", left, goroutines)
	}
}

// settle waits until all that was cancelled has ended and all sessions are free, and
// returns the memory in use, and the goroutines.
func settle(t *testing.T, h *httptest.Server) (heap uint64, goroutines int) {
	t.Helper()
	metric := func(page, name string) int {
		_, after, _ := strings.Cut(page, "\n"+name+" ")
		n, _ := strconv.Atoi(strings.SplitN(after, "\n", 2)[0])
		return n
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r, err := h.Client().Get(h.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		page := string(b)
		if metric(page, "infer_sessions_busy") == 0 && metric(page, "infer_requests_in_progress") == 1 {
			if metric(page, "infer_accepted_tokens_total") == 0 || metric(page, "infer_kept_tokens_total") == 0 {
				t.Errorf("no guess was right, or nothing was kept:\n%s", page)
			}
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("a minute after the storm:\n%s", page)
		}
	}
	h.Client().CloseIdleConnections()
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}
