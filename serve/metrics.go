package serve

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// metrics are the counts of a server, in the text form of Prometheus.
type metrics struct {
	mu         sync.Mutex
	inProgress int
	requests   map[endpoint]int
	prompt     int // tokens
	generated  int
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

func (m *metrics) tokens(prompt, generated int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prompt += prompt
	m.generated += generated
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
	one("infer_generated_tokens_total", "counter", "Tokens that were generated.", m.generated)
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
