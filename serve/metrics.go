package serve

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/normswap/normswap/engine"
)

// metrics are the counts of a server, in the text form of Prometheus.
type metrics struct {
	mu         sync.Mutex
	inProgress int
	requests   map[endpoint]int
	// Tokens: of prompts, those of them that were there from before, generated ones,
	// and guesses.
	prompt, kept, generated, guessed, accepted int
}

type endpoint struct {
	path   string
	status int
}

// begin counts a request and returns how many are in progress.
func (m *metrics) begin() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inProgress++
	return m.inProgress
}

func (m *metrics) end(path string, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inProgress--
	if m.requests == nil {
		m.requests = map[endpoint]int{}
	}
	m.requests[endpoint{path, status}]++
}

func (m *metrics) tokens(prompt, kept, generated int, guess *engine.Speculation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prompt += prompt
	m.kept += kept
	m.generated += generated
	if guess != nil {
		m.guessed += guess.Guessed
		m.accepted += guess.Accepted
	}
}

func (s *Server) writeMetrics(w http.ResponseWriter, _ *http.Request) error {
	s.sessions.mu.Lock()
	busy := s.sessions.busy
	s.sessions.mu.Unlock()
	m := &s.metrics
	var b strings.Builder
	one := func(name, kind, help string, v int) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", name, help, name, kind, name, v)
	}
	m.mu.Lock()
	one("infer_requests_in_progress", "gauge", "Requests that are being answered.", m.inProgress)
	one("infer_sessions_busy", "gauge", "Sessions that compute.", busy)
	one("infer_prompt_tokens_total", "counter", "Tokens of prompts.", m.prompt)
	one("infer_kept_tokens_total", "counter", "Tokens of prompts that were there from an earlier text.", m.kept)
	one("infer_generated_tokens_total", "counter", "Tokens that were generated.", m.generated)
	one("infer_guessed_tokens_total", "counter", "Tokens that were guessed before they were drawn.", m.guessed)
	one("infer_accepted_tokens_total", "counter", "Guesses that were right.", m.accepted)
	b.WriteString("# HELP infer_requests_total Requests that were answered.\n# TYPE infer_requests_total counter\n")
	var all []endpoint
	for e := range m.requests {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b endpoint) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.status, b.status))
	})
	for _, e := range all {
		fmt.Fprintf(&b, "infer_requests_total{path=%q,status=\"%d\"} %d\n", e.path, e.status, m.requests[e])
	}
	m.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(b.String()))
	return nil
}
