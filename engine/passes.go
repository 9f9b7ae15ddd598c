package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/normswap/normswap/ops"
)

// ErrClosed tells that the model of a call was closed.
var ErrClosed = errors.New("engine: the model is closed")

// passes are the passes of a model that are not in use, and the count of the
// calls in progress, for which a close waits.
type passes struct {
	base *Model // whose file and lifetime this model shares; nil: its own

	mu    sync.Mutex
	left  sync.Cond // a call has ended
	calls int
	ended bool
	idle  []*pass
}

func (l *passes) init(base *Model) {
	l.base, l.left.L = base, &l.mu
}

// enter begins a call.
func (l *passes) enter() error {
	if l.base != nil {
		if err := l.base.passes.enter(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		if l.base != nil {
			l.base.passes.leave()
		}
		return ErrClosed
	}
	l.calls++
	return nil
}

// leave ends a call.
func (l *passes) leave() {
	l.mu.Lock()
	l.calls--
	l.left.Broadcast()
	l.mu.Unlock()
	if l.base != nil {
		l.base.passes.leave()
	}
}

// close waits until no call is in progress and lets none begin. It reports
// whether it is the first.
func (l *passes) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.ended = true
	for l.calls > 0 {
		l.left.Wait()
	}
	l.idle = nil
	return true
}

// closed reports whether no call may begin any more.
func (m *Model) closed() bool {
	l := &m.passes
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended || l.base != nil && l.base.closed()
}

// acquire begins a call and returns a pass for it, whose rows are whole
// sequences or prompts unless its way is changed.
func (m *Model) acquire(ctx context.Context) (*pass, error) {
	if err := m.passes.enter(); err != nil {
		return nil, err
	}
	return m.borrow(ctx), nil
}

// borrow returns a pass to a call in progress.
func (m *Model) borrow(ctx context.Context) *pass {
	p := m.passes.take()
	if p == nil {
		p = &pass{model: m, pool: m.pool.Share()}
	}
	p.ctx, p.way = ctx, ops.Tiled
	p.pool.SetContext(ctx)
	return p
}

func (l *passes) take() *pass {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if n == 0 {
		return nil
	}
	p := l.idle[n-1]
	l.idle = l.idle[:n-1]
	return p
}

// release ends the call that has acquired p.
func (m *Model) release(p *pass) {
	m.giveBack(p)
	m.passes.leave()
}

// giveBack takes back a pass that was borrowed.
func (m *Model) giveBack(p *pass) {
	p.ctx = nil
	p.pool.SetContext(context.Background())
	clear(p.segments)
	l := &m.passes
	l.mu.Lock()
	l.idle = append(l.idle, p)
	l.mu.Unlock()
}
