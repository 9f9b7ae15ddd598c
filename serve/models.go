package serve

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
)

// A Recipe is a variant of the model that is served as NAME@Name.
type Recipe struct {
	Name string
	Load func(context.Context) (*engine.Model, error)
}

// A variant is the model with norms of one mode, or of a recipe. It is loaded with its
// first request.
type variant struct {
	name string
	load func(context.Context) (*engine.Model, error)

	mu    sync.Mutex // held during a load
	model *engine.Model
}

// addVariants lists the variants whose norms differ from those of the model.
func (s *Server) addVariants() error {
	modes := []engine.NormMode{engine.RMSFolded, engine.RMSNaive}
	if s.o.Model.Arch.Spec.Norm == arch.RMSNorm {
		modes = []engine.NormMode{engine.Centered}
	}
	s.names = []string{s.o.Name}
	s.variants[s.o.Name] = &variant{name: s.o.Name, model: s.o.Model}
	var all []variant
	for _, mode := range modes {
		all = append(all, variant{name: fmt.Sprintf("%s:%s", s.o.Name, mode), load: func(ctx context.Context) (*engine.Model, error) {
			return s.o.Variant(ctx, mode)
		}})
	}
	for _, r := range s.o.Recipes {
		all = append(all, variant{name: fmt.Sprintf("%s@%s", s.o.Name, r.Name), load: r.Load})
	}
	for i := range all {
		name := all[i].name
		if s.variants[name] != nil {
			return fmt.Errorf("serve: two models are named %s", name)
		}
		s.names = append(s.names, name)
		s.variants[name] = &all[i]
	}
	return nil
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
		m, err := v.load(ctx)
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

// sessions are those in use and those kept for the beginnings of their texts, as many
// as may be in use.
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

// take waits for its turn and returns a session of m, and how many of its first tokens
// are those of ids: of the kept sessions the one that shares most, or, where that goes
// on with something else, a fork of it.
func (p *sessions) take(ctx context.Context, m *engine.Model, ids []int32) (s *engine.Session, shared int, err error) {
	select {
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-p.free:
	}
	p.mu.Lock()
	p.busy++
	best := -1
	for i, s := range p.idle {
		if n := common(s.Tokens(), ids); s.Model() == m && n > shared {
			best, shared = i, n
		}
	}
	switch {
	case best >= 0 && shared < p.idle[best].Len():
		s, err = p.idle[best].Fork()
	case best >= 0:
		s = p.idle[best]
		p.idle = slices.Delete(p.idle, best, best+1)
	}
	p.mu.Unlock()
	if s == nil && err == nil {
		n := p.o.Context
		if n == 0 {
			n = min(m.Context(), engine.DefaultContext)
		}
		s, err = m.NewSession(engine.SessionOptions{Context: n, KV: p.o.KV})
	}
	if err != nil {
		p.put(nil)
	}
	return s, shared, err
}

// common is the length of what a and b begin with.
func common(a, b []int32) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// put takes a session back.
func (p *sessions) put(s *engine.Session) {
	if s != nil {
		s.DropGenerated() // a text does not depend on those before it
	}
	p.mu.Lock()
	p.busy--
	if s != nil {
		// A text that another one begins with need not be kept.
		p.idle = slices.DeleteFunc(p.idle, func(old *engine.Session) bool {
			return old.Model() == s.Model() && common(old.Tokens(), s.Tokens()) == old.Len()
		})
		p.idle = append(p.idle, s)
		p.idle = slices.Delete(p.idle, 0, max(0, len(p.idle)-p.o.Parallel))
	}
	p.mu.Unlock()
	p.free <- struct{}{}
}

// drafts are sessions of the draft that are not in use.
type drafts struct {
	mu   sync.Mutex
	idle []*engine.Session
}

// speculation returns what guesses for a session, and a function that ends its use.
func (s *Server) speculation(of *engine.Session) (g *engine.Speculation, done func(), err error) {
	if !s.o.Lookup && s.o.Draft == nil {
		return nil, func() {}, nil
	}
	g = &engine.Speculation{Lookup: s.o.Lookup, Max: s.o.GuessMax}
	if s.o.Draft == nil {
		return g, func() {}, nil
	}
	d := &s.drafts
	d.mu.Lock()
	if n := len(d.idle); n > 0 {
		g.Draft, d.idle = d.idle[n-1], d.idle[:n-1]
	}
	d.mu.Unlock()
	if g.Draft == nil {
		if g.Draft, err = s.o.Draft.NewSession(engine.SessionOptions{Context: of.Max(), KV: s.o.KV}); err != nil {
			return nil, nil, err
		}
	}
	return g, func() {
		d.mu.Lock()
		d.idle = append(d.idle, g.Draft)
		d.mu.Unlock()
	}, nil
}
