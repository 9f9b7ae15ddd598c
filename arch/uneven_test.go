package arch_test

import (
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// TestUneven: a layer without an FFN is left out with a warning, and a first layer without
// heads, which says how wide heads are, is refused.
func TestUneven(t *testing.T) {
	f, err := gguf.Open(testdata.Path(t, "archs2/deci.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Blocks; len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "layer 3 has no FFN") ||
		b[1].AttnNorm != nil || b[1].O.W != nil || b[2].Q.W != nil || b[2].O.W == nil || len(m.Readers(b[2].AttnNorm)) != 1 {
		t.Errorf("%q", m.Warnings)
	}
	if err := f.Meta.Set("deci.attention.head_count", []uint32{0, 4, 4, 4, 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := arch.Load(f); !oneLine(err, "head_count of the first layer") {
		t.Error(err)
	}
}
