package toy

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/normswap/normswap/quant"
)

var errFull = errors.New("full")

// pieces is a writer that notes the longest piece, and fails when it is full.
type pieces struct{ written, longest, room int }

func (p *pieces) Write(b []byte) (int, error) {
	if p.written >= p.room {
		return 0, errFull
	}
	p.written += len(b)
	p.longest = max(p.longest, len(b))
	return len(b), nil
}

// TestWritePieces: matrices of many MiB are written in pieces, so that whoever
// stops the writer stops Write.
func TestWritePieces(t *testing.T) {
	shape := Tiny("llama", nil)
	shape.Vocab, shape.Dim, shape.FFN = 4096, 768, 3072
	whole := &pieces{room: 1 << 40}
	if err := Write(whole, shape, "F32", 1); err != nil {
		t.Fatal(err)
	}
	if matrix := 4 * shape.Vocab * shape.Dim; whole.written < matrix || whole.longest > pieceBytes {
		t.Errorf("%d bytes, the longest piece %d", whole.written, whole.longest)
	}
	for _, room := range []int{1, whole.written / 3, whole.written - 1} {
		p := &pieces{room: room}
		if err := Write(p, shape, "F32", 1); !errors.Is(err, errFull) || p.written > room+pieceBytes {
			t.Errorf("room for %d of %d bytes: %d written, %v", room, whole.written, p.written, err)
		}
	}
	if err := Write(io.Discard, shape, "Q9_9", 1); err == nil {
		t.Error("an unknown type is written")
	}
}

// TestWeights: the weights of every type have the deviation that they should have.
func TestWeights(t *testing.T) {
	const items = 256 * 64
	for _, name := range Types() {
		typ, err := quant.ParseType(name)
		if err != nil {
			continue // a mixture
		}
		v := make([]float32, items)
		b, err := Weights(typ, items, rand.New(rand.NewPCG(1, 2)))
		if err == nil {
			err = quant.Decode(v, typ, b)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var squares float64
		for _, x := range v {
			squares += float64(x) * float64(x)
		}
		if s := math.Sqrt(squares / items); !(s > 0.6*spread && s < 1.6*spread) {
			t.Errorf("%s: weights deviate by %.3g, not %v", name, s, spread)
		}
	}
}

// TestMixtures: a mixture has its types where a quantiser puts them, and what takes
// their place where rows are not whole blocks.
func TestMixtures(t *testing.T) {
	for _, c := range []struct {
		typ, name    string
		cols, layers int
		want         quant.Type
	}{
		{"Q4_K_M", "blk.1.attn_qkv.weight", 768, 12, quant.Q5_K},
		{"q4_k_m", "blk.0.ffn_down.weight", 3072, 12, quant.Q6_K},
		{"Q2_K-mix", "blk.3.ffn_down.weight", 3072, 12, quant.Q3_K},
		{"Q2_K-mix", "blk.3.ffn_up.weight", 768, 12, quant.Q2_K},
		{"Q2_K", "output.weight", 768, 12, quant.Q2_K},
		{"Q3_K_M", "token_embd.weight", 768, 12, quant.Q6_K},
		{"IQ3_M", "blk.0.ffn_down.weight", 8192, 16, quant.Q4_K},
		{"IQ3_M", "blk.9.ffn_down.weight", 8192, 16, quant.IQ3_S},
		{"UD-Q2_K_XL", "blk.9.attn_k.weight", 2048, 16, quant.Q4_K},
		{"Q2_K", "blk.0.attn_q.weight", 96, 2, quant.Q4_0},
		{"IQ4_XS", "blk.0.attn_q.weight", 96, 2, quant.IQ4_NL},
		{"Q2_0", "blk.0.attn_q.weight", 96, 2, quant.F16},
		{"Q4_K", "blk.0.attn_q.weight", 40, 2, quant.F16},
		{"Q4_K", "position_embd.weight", 768, 2, quant.F32},
	} {
		if got, err := typeOf(c.typ, c.name, c.cols, c.layers); err != nil || got != c.want {
			t.Errorf("%s %s of %d columns: %v, %v; want %v", c.typ, c.name, c.cols, got, err, c.want)
		}
	}
}
