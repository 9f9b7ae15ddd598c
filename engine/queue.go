package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/normswap/normswap/ops"
)

// A call is an evaluation of a session that waits for its share of the passes.
type call struct {
	session *Session
	ctx     context.Context
	tokens  []int32   // not evaluated yet
	way     ops.Forms // in which float products add up
	rows    int       // of logits that are wanted, those of the last tokens
	whole   bool      // all tokens belong in one pass: a token and what may follow it

	wake     chan struct{} // done, or to lead
	err      error
	lead     bool // this caller runs the passes
	part     int  // tokens in the pass in progress
	done     bool
	again    bool // it is one of a Generate, which calls again soon
	expected int  // the round of the queue that waits for the next call; 0: none does
}

// A queue has the calls in progress share passes. There is no goroutine of its
// own: one of the callers leads, and runs passes with pieces of all calls until
// its own is done; then the next one leads.
//
// Tokens that are generated come first, one a call, with what may follow it; prompts
// share what room is left, and take turns.
type queue struct {
	model *Model

	mu    sync.Mutex
	calls []*call // in the order of their turn
	led   bool    // one of the callers leads

	// A pass is worth more with more rows. Before it begins, the leader waits a
	// moment for the generations of the last pass to call again.
	round   int // of such waits
	missing int // calls that it waits for
	arrived chan struct{}
	timer   *time.Timer
	took    time.Duration // by the last pass

	part      []*call // in the pass in progress
	way       ops.Forms
	segments  []segment
	x         []float32  // residual vectors whose logits are wanted [rows, Dim]
	positions []int      // of those
	owners    []*Session // of those
	logits    []float32
}

const (
	// besideTokens is how many tokens of prompts are in a pass with generated ones
	// at most, so that these do not wait long.
	besideTokens = 64
	// leastPiece is what a prompt gets of a pass at least, if there is room.
	leastPiece = 16
	// patience bounds the wait for generations; an eighth of the last pass does, too.
	patience = 5 * time.Millisecond
)

func (q *queue) init(m *Model) {
	q.model, q.round, q.arrived = m, 1, make(chan struct{}, 1)
	if m.floats {
		q.way = ops.Tiled
	}
	q.timer = time.NewTimer(time.Hour)
	q.timer.Stop()
}

// run evaluates the tokens of c.
func (q *queue) run(c *call) error {
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	c.err, c.lead, c.done, c.part = nil, false, false, 0
	q.mu.Lock()
	q.found(c)
	q.calls = append(q.calls, c)
	if q.led {
		q.mu.Unlock()
		if q.wait(c); c.done {
			return c.err
		}
		q.mu.Lock()
	}
	q.led, c.lead = true, true
	defer q.handOver()
	for !c.done {
		q.step()
	}
	return c.err
}

// handOver ends a caller's lead.
func (q *queue) handOver() {
	if q.led = len(q.calls) > 0; q.led {
		next := q.calls[0]
		next.lead = true
		next.wake <- struct{}{}
	}
	q.mu.Unlock()
}

// wait returns when c is done, or is to lead.
func (q *queue) wait(c *call) {
	select {
	case <-c.wake:
		return
	case <-c.ctx.Done():
	}
	q.mu.Lock()
	if c.done || c.lead || c.part > 0 {
		q.mu.Unlock()
		<-c.wake // with the end of the pass at the latest
		return
	}
	c.lead = true // it needs no wake
	q.finish(c, c.ctx.Err())
	q.mu.Unlock()
}

// found notes that a call is there that was waited for.
func (q *queue) found(c *call) {
	if c.expected == q.round {
		if q.missing--; q.missing == 0 {
			select {
			case q.arrived <- struct{}{}:
			default:
			}
		}
	}
	c.expected = 0
}

// leave notes that a generation has ended.
func (q *queue) leave(c *call) {
	q.mu.Lock()
	q.found(c)
	c.again = false
	q.mu.Unlock()
}

// finish ends a call.
func (q *queue) finish(c *call, err error) {
	c.err, c.done = err, true
	for i, x := range q.calls {
		if x == c {
			q.calls = append(q.calls[:i], q.calls[i+1:]...)
			break
		}
	}
	if c.again && err == nil {
		c.expected = q.round
		q.missing++
	}
	if !c.lead {
		c.wake <- struct{}{}
	}
}

var errPanic = errors.New("engine: a pass has ended in a panic")

// step runs one pass. It holds the lock, but not during the pass.
func (q *queue) step() {
	q.gather()
	for i := 0; i < len(q.calls); {
		if c := q.calls[i]; c.ctx.Err() != nil {
			q.finish(c, c.ctx.Err())
		} else {
			i++
		}
	}
	if q.choose(); len(q.part) == 0 {
		return
	}
	q.mu.Unlock()
	begun := time.Now()
	err := errPanic
	func() {
		defer func() { // a panic goes on, but leaves no caller waiting
			q.mu.Lock()
			q.took = time.Since(begun)
			q.settle(err)
		}()
		err = q.pass()
	}()
}

// gather waits for the generations of the last pass.
func (q *queue) gather() {
	if q.missing == 0 {
		return
	}
	select {
	case <-q.arrived: // of an earlier round
	default:
	}
	q.mu.Unlock()
	q.timer.Reset(min(patience, q.took/8))
	select {
	case <-q.arrived:
	case <-q.timer.C:
	}
	q.timer.Stop()
	q.mu.Lock()
	q.round++ // nobody waits for those that are still missing
	q.missing = 0
}

// choose fills the next pass. Float products add up in one way in all of it.
func (q *queue) choose() {
	q.part = q.part[:0]
	room, way := q.model.batch, ops.Forms(0)
	if q.model.floats {
		way = q.way ^ (ops.Tiled | ops.Apart)
		if !q.any(way) {
			way ^= ops.Tiled | ops.Apart
		}
		q.way = way
	}
	prompts := 0
	for _, c := range q.calls {
		switch {
		case way != 0 && c.way != way:
		case !c.generated():
			prompts++
		case len(c.tokens) <= room:
			room -= len(c.tokens)
			q.take(c, len(c.tokens))
		}
	}
	if len(q.part) > 0 {
		room = min(room, besideTokens)
	}
	for _, c := range q.calls {
		if c.generated() || way != 0 && c.way != way || room == 0 {
			continue
		}
		n := min(len(c.tokens), max(room/prompts, leastPiece), room)
		q.take(c, n)
		room -= n
		prompts--
	}
}

// generated reports whether c evaluates a token that was generated, or the last one
// of a prompt.
func (c *call) generated() bool { return c.whole || len(c.tokens) == 1 }

func (q *queue) any(way ops.Forms) bool {
	for _, c := range q.calls {
		if c.way == way {
			return true
		}
	}
	return false
}

// take puts n tokens of a call into the next pass.
func (q *queue) take(c *call, n int) {
	c.part = n
	q.part = append(q.part, c)
}

// pass evaluates the parts of the calls, and the logits of those that it ends.
func (q *queue) pass() error {
	m := q.model
	var ctx context.Context = (*allDone)(q)
	if len(q.part) == 1 {
		ctx = q.part[0].ctx
	}
	p := m.borrow(ctx)
	defer m.giveBack(p)
	if q.way != 0 {
		p.way = q.way
	}
	return m.File.Guard(func() error { return q.evaluate(p) })
}

func (q *queue) evaluate(p *pass) error {
	m, d, vocab := q.model, q.model.Arch.Dim, q.model.Arch.Vocab
	q.segments = q.segments[:0]
	for _, c := range q.part {
		q.segments = append(q.segments, segment{session: c.session, tokens: c.tokens[:c.part], pos: len(c.session.tokens)})
	}
	defer clear(q.segments)
	x, err := p.forward(q.segments...)
	if err != nil {
		return err
	}
	q.x, q.positions, q.owners = q.x[:0], q.positions[:0], q.owners[:0]
	for i, c := range q.part {
		if c.part < len(c.tokens) {
			continue
		}
		end := p.segments[i].row + c.part
		q.x = append(q.x, x[(end-c.rows)*d:end*d]...)
		q.positions = append(q.positions, p.positions[end-c.rows:end]...)
		for range c.rows {
			q.owners = append(q.owners, c.session)
		}
		c.session.logits = c.session.logits[:0]
	}
	defer clear(q.owners)
	rows := len(q.owners)
	q.logits = sized(q.logits, min(rows, m.headRows)*vocab)
	for at, s := range q.owners {
		if at%m.headRows == 0 {
			n := min(m.headRows, rows-at)
			if err := p.logits(q.logits[:n*vocab], q.x[at*d:(at+n)*d], q.positions[at:at+n], ops.Apart); err != nil {
				return err
			}
		}
		s.logits = append(s.logits, row(q.logits, at%m.headRows, vocab)...)
	}
	return nil
}

// settle takes the parts off the calls, and ends those that are done.
func (q *queue) settle(err error) {
	for _, c := range q.part {
		n := c.part
		c.part = 0
		if err != nil {
			q.finish(c, err)
			continue
		}
		c.session.tokens = append(c.session.tokens, c.tokens[:n]...)
		c.tokens = c.tokens[n:]
		switch {
		case len(c.tokens) == 0:
			q.finish(c, c.err)
		case c.ctx.Err() != nil:
			q.finish(c, c.ctx.Err())
		default: // the others' turn
			for i, x := range q.calls {
				if x == c {
					q.calls = append(append(q.calls[:i], q.calls[i+1:]...), c)
					break
				}
			}
		}
	}
	clear(q.part)
	q.part = q.part[:0]
}

// allDone is the context of a pass that calls share. It is cancelled when all of
// theirs are.
type allDone queue

func (q *allDone) Err() error {
	for _, c := range q.part {
		if c.ctx.Err() == nil {
			return nil
		}
	}
	return context.Canceled
}

func (q *allDone) Deadline() (t time.Time, ok bool) { return }
func (q *allDone) Done() <-chan struct{}            { return nil }
func (q *allDone) Value(any) any                    { return nil }
