package toy

import (
	"errors"
	"io"
	"testing"
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
