package bench

import (
	"context"
	"time"

	"github.com/normswap/normswap/ops"
)

// reading reads pieces of memory by one of the loops.
type reading struct {
	loop   int
	pieces [][]byte
}

const readPiece = 1 << 20

func (t *reading) Do(_, lo, hi int) {
	for _, piece := range t.pieces[lo:hi] {
		ops.ReadLoop(t.loop, piece)
	}
}

// newReading returns the reading of memory by the loop that does it the fastest with
// the threads of the pool.
func newReading(p *ops.Pool, memory ...[]byte) *reading {
	t := new(reading)
	for _, m := range memory {
		for len(m) > readPiece {
			t.pieces, m = append(t.pieces, m[:readPiece]), m[readPiece:]
		}
		t.pieces = append(t.pieces, m)
	}
	var best time.Duration
	t.run(p) // the first time pays for what the others find in memory
	for loop := range ops.ReadLoops {
		other := reading{loop, t.pieces}
		if d := min(other.run(p), other.run(p)); best == 0 || d < best {
			best, t.loop = d, loop
		}
	}
	return t
}

// run reads the memory and returns how long it took.
func (t *reading) run(p *ops.Pool) time.Duration {
	start := time.Now()
	p.Run(t, len(t.pieces), 1)
	return time.Since(start)
}

// ReadSpeed reads the weights of the model from one end to the other, with as
// many threads as it has, by the loop that is the fastest, and returns the bytes per
// second: the speed that generating tokens is held against.
func (r *Runner) ReadSpeed() float64 {
	m := r.model()
	pool := ops.NewPool(m.Threads())
	defer pool.Close()
	total := 0
	var memory [][]byte
	for i := range m.File.Tensors {
		data := m.File.Tensors[i].Data
		memory, total = append(memory, data), total+len(data)
	}
	if r.reading == nil {
		r.reading = newReading(pool, memory...)
	}
	return float64(total) / r.reading.run(pool).Seconds()
}

// TokenBytes returns what generating one token reads and writes at least, the
// weights above all.
func (r *Runner) TokenBytes(ctx context.Context) (int, error) {
	var p Profile
	m := r.model()
	m.Observe(p.Add)
	defer m.Observe(nil)
	bytes, err := 0, r.run(ctx, 1)
	for _, o := range p.Operations() {
		bytes += o.Bytes
	}
	return bytes, err
}
