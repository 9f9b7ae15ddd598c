package bench

import (
	"context"
	"time"

	"github.com/normswap/normswap/ops"
)

// reading reads pieces of memory.
type reading [][]byte

const readPiece = 1 << 20

func (t reading) Do(_, lo, hi int) {
	for _, piece := range t[lo:hi] {
		ops.ReadLoop(piece)
	}
}

// read reads memory, as fast as that goes, and returns how long it took.
func read(p *ops.Pool, memory ...[]byte) time.Duration {
	var t reading
	for _, m := range memory {
		for len(m) > readPiece {
			t, m = append(t, m[:readPiece]), m[readPiece:]
		}
		t = append(t, m)
	}
	start := time.Now()
	p.Run(t, len(t), 1)
	return time.Since(start)
}

// ReadSpeed reads the weights of the model from one end to the other, with as
// many threads as it has, and returns the bytes per second: the speed that
// generating tokens is held against.
func (r *Runner) ReadSpeed() float64 {
	m := r.model()
	pool := ops.NewPool(m.Threads())
	defer pool.Close()
	var memory [][]byte
	total := 0
	for i := range m.File.Tensors {
		data := m.File.Tensors[i].Data
		memory, total = append(memory, data), total+len(data)
	}
	return float64(total) / read(pool, memory...).Seconds()
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
