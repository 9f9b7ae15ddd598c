package engine

import (
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

// The estimate of a header is what the sessions of the model may take.
func TestEstimateMemory(t *testing.T) {
	for _, path := range testdata.Fixtures(t, "archs") {
		m, err := Open(t.Context(), testdata.Path(t, path), Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for _, positions := range []int{0, 16} {
			e := EstimateMemory(m.File, m.Arch, positions)
			for kv, want := range map[quant.Type]int64{quant.F32: e.Cache, quant.F16: e.HalfCache} {
				s, err := m.NewSession(SessionOptions{Context: e.Positions, KV: kv})
				if err != nil {
					t.Fatal(err)
				}
				full := statesBytes(m.Arch)
				for _, c := range s.kv {
					full += c.MaxBytes()
				}
				if int64(full) != want || want == 0 {
					t.Errorf("%s: %v cache of %d positions: %d, estimated %d", path, kv, e.Positions, int64(full), want)
				}
			}
			if e.Weights != m.File.DataBytes() {
				t.Errorf("%s: weights of %d bytes, estimated %d", path, m.File.DataBytes(), e.Weights)
			}
		}
	}
	bert, err := gguf.Open(testdata.Path(t, "encoders/bert.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer bert.Close()
	a, err := arch.Load(bert)
	if err != nil {
		t.Fatal(err)
	}
	if e := EstimateMemory(bert, a, 0); e.Cache != 0 || e.Weights == 0 {
		t.Errorf("%+v", e)
	}
}
