package serve

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
)

// A variant is the model with norms of one mode. It is loaded with its first
// request.
type variant struct {
	name string
	norm engine.NormMode

	mu    sync.Mutex // held during a load
	model *engine.Model
}

// addVariants lists the variants whose norms differ from those of the model.
func (s *Server) addVariants() {
	modes := []engine.NormMode{engine.RMSFolded, engine.RMSNaive}
	if s.o.Model.Arch.Spec.Norm == arch.RMSNorm {
		modes = []engine.NormMode{engine.Centered}
	}
	s.names = []string{s.o.Name}
	s.variants[s.o.Name] = &variant{name: s.o.Name, model: s.o.Model}
	for _, mode := range modes {
		name := fmt.Sprintf("%s:%s", s.o.Name, mode)
		s.names = append(s.names, name)
		s.variants[name] = &variant{name: name, norm: mode}
	}
}

// named returns the variant of a name; without one, the model as it is. Ollama's
// clients add :latest to a name.
func (s *Server) named(ctx context.Context, name string) (*variant, error) {
	if name = strings.TrimSuffix(name, ":latest"); name == "" {
		name = s.o.Name
	}
	v := s.variants[name]
	if v == nil {
		return nil, &apiError{Status: http.StatusNotFound, Param: "model", Code: "model_not_found",
			Message: fmt.Sprintf("there is no model %.100q; there are %s", name, strings.Join(s.names, ", "))}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.model == nil {
		m, err := s.o.Variant(ctx, v.norm)
		if err != nil {
			return nil, err
		}
		v.model = m
	}
	return v, nil
}

type modelInfo struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Server) info(name string) modelInfo {
	return modelInfo{name, "model", s.begun.Unix(), "normswap"}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) error {
	var list []modelInfo
	for _, name := range s.names {
		list = append(list, s.info(name))
	}
	return write(w, map[string]any{"object": "list", "data": list})
}

func (s *Server) model(w http.ResponseWriter, r *http.Request) error {
	v, err := s.named(r.Context(), r.PathValue("model"))
	if err != nil {
		return err
	}
	return write(w, s.info(v.name))
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	return write(w, map[string]string{"status": "ok"})
}

// sessions are those in use and those kept for the beginnings of their texts.
type sessions struct {
	o    Options
	free chan struct{} // one for each session that may be in use

	mu   sync.Mutex
	busy int
	idle []*engine.Session // the one used last comes last
}

func newSessions(o Options) *sessions {
	p := &sessions{o: o, free: make(chan struct{}, o.Parallel)}
	for range o.Parallel {
		p.free <- struct{}{}
	}
	return p
}

// take waits for its turn and returns a session of m: the one that shares most
// with ids, if there is one.
func (p *sessions) take(ctx context.Context, m *engine.Model, ids []int32) (*engine.Session, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.free:
	}
	p.mu.Lock()
	p.busy++
	best, shared := -1, -1
	for i, s := range p.idle {
		n := 0
		for n < len(ids) && n < s.Len() && s.Tokens()[n] == ids[n] {
			n++
		}
		if s.Model() == m && n > shared {
			best, shared = i, n
		}
	}
	var s *engine.Session
	room := p.busy+len(p.idle) <= p.o.Parallel
	switch {
	case best >= 0 && (shared > 0 || !room):
		s = p.idle[best]
		p.idle = append(p.idle[:best], p.idle[best+1:]...)
	case !room:
		p.idle = p.idle[1:]
	}
	p.mu.Unlock()
	if s != nil {
		return s, nil
	}
	n := p.o.Context
	if n == 0 {
		n = min(m.Context(), engine.DefaultContext)
	}
	s, err := m.NewSession(engine.SessionOptions{Context: n, KV: p.o.KV})
	if err != nil {
		p.put(nil)
	}
	return s, err
}

// put takes a session back.
func (p *sessions) put(s *engine.Session) {
	p.mu.Lock()
	p.busy--
	if s != nil {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	p.free <- struct{}{}
}
