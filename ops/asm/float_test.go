package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/x448/float16"

	"github.com/normswap/normswap/quant"
)

// stored returns n numbers of a type, at an odd address, and their values.
func stored(f quant.Type, n, off int, r *rand.Rand) ([]byte, []float64) {
	size, _ := f.RowBytes(n)
	b := make([]byte, size+off)[off:]
	v := make([]float64, n)
	for i := range v {
		x := float32(r.NormFloat64())
		switch f {
		case quant.F32:
			*(*[4]byte)(b[4*i:]) = *(*[4]byte)(unsafe.Pointer(&x))
		case quant.F16:
			h := float16.Fromfloat32(x).Bits()
			b[2*i], b[2*i+1] = byte(h), byte(h>>8)
			x = float16.Frombits(h).Float32()
		case quant.BF16:
			u := math.Float32bits(x) >> 16
			b[2*i], b[2*i+1] = byte(u), byte(u>>8)
			x = math.Float32frombits(u << 16)
		}
		v[i] = float64(x)
	}
	return b, v
}

var floatSizes = []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 257, 768, 4097, 9000}

// TestFloats holds the products of float weights, on every tier, to float64
// sums: n roundings of the sum of the magnitudes bound the error.
func TestFloats(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, n := range floatSizes {
			for off := range 3 {
				r := rand.New(rand.NewPCG(uint64(n), uint64(off)))
				x := make([]float32, n+off)[off:]
				for i := range x {
					x[i] = float32(r.NormFloat64())
				}
				for _, f := range []quant.Type{quant.F32, quant.F16, quant.BF16} {
					if err := checkFloat(f, x, n, off, r); err != nil {
						t.Errorf("%v, n=%d, off=%d: %v", f, n, off, err)
					}
				}
				if err := checkGemmFloat(n, off, r); err != nil {
					t.Errorf("GemmFloat n=%d off=%d: %v", n, off, err)
				}
			}
		}
	})
}

func checkFloat(f quant.Type, x []float32, n, off int, r *rand.Rand) error {
	w, v := stored(f, n*PanelRows, off, r)
	wide := make([]float32, n*PanelRows+2)
	wide[0], wide[len(wide)-1] = 7, 7
	Widen(f, wide[1:len(wide)-1], w)
	for i, want := range v {
		if float64(wide[1+i]) != want {
			return fmt.Errorf("Widen %d: %v, want %v", i, wide[1+i], want)
		}
	}
	if wide[0] != 7 || wide[len(wide)-1] != 7 {
		return fmt.Errorf("Widen writes outside dst")
	}
	got := make([]float32, PanelRows)
	GemvFloat(f, got, w, len(w)/PanelRows, x)
	want32 := make([]float32, len(got))
	gemvFloatGeneric(f, want32, w, len(w)/PanelRows, x)
	if !slices.Equal(got, want32) {
		return fmt.Errorf("GemvFloat: %v, by its definition %v", got, want32)
	}
	for row, g := range got {
		var sum, size float64
		for i, a := range x {
			p := v[row*n+i] * float64(a)
			sum, size = sum+p, size+math.Abs(p)
		}
		if e := math.Abs(float64(g) - sum); !(e <= float64(n)*0x1p-24*size) {
			return fmt.Errorf("GemvFloat row %d: %v, want %v", row, g, sum)
		}
	}
	sums, want := make([]float64, n), make([]float64, n)
	for i := range sums {
		sums[i] = r.NormFloat64()
		want[i] = sums[i] + float64(x[i])
	}
	AddFloats(sums, x)
	for i := range want {
		if sums[i] != want[i] {
			return fmt.Errorf("AddFloats %d: %v, want %v", i, sums[i], want[i])
		}
	}
	return nil
}

func checkGemmFloat(n, off int, r *rand.Rand) error {
	stride := n + 3
	w := make([]float32, PanelRows*stride+off)[off:]
	a := make([]float32, 2*n*PanelRows+off)[off:]
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for i := range a {
		a[i] = float32(r.NormFloat64())
	}
	var c [PanelRows * PanelRows]float32
	GemmFloat(&c, w, stride, a[:n*PanelRows], make([]byte, off))
	var two, want [2 * PanelRows * PanelRows]float32
	GemmFloat2(&two, w, stride, a, make([]byte, off))
	copy(want[:], c[:])
	GemmFloat((*[PanelRows * PanelRows]float32)(want[len(c):]), w, stride, a[n*PanelRows:], nil)
	if two != want {
		return fmt.Errorf("products of two tiles differ from those of each")
	}
	for row := range PanelRows {
		for lane := range PanelRows {
			var sum, size float64
			for k := range n {
				p := float64(w[row*stride+k]) * float64(a[k*PanelRows+lane])
				sum, size = sum+p, size+math.Abs(p)
			}
			if e := math.Abs(float64(c[row*PanelRows+lane]) - sum); !(e <= float64(n)*0x1p-24*size) {
				return fmt.Errorf("%d, %d: %v, want %v", row, lane, c[row*PanelRows+lane], sum)
			}
		}
	}
	return nil
}

// TestWidenHalf converts every number of 16 bits.
func TestWidenHalf(t *testing.T) {
	b := make([]byte, 2<<16)
	for i := range 1 << 16 {
		b[2*i], b[2*i+1] = byte(i), byte(i>>8)
	}
	eachTier(t, func(t *testing.T) {
		got := make([]float32, 1<<16)
		Widen(quant.F16, got, b)
		for i, v := range got {
			want := float16.Frombits(uint16(i)).Float32()
			if v != want && (v == v || want == want) {
				t.Fatalf("F16 %#04x: %v, want %v", i, v, want)
			}
		}
		Widen(quant.BF16, got, b)
		for i, v := range got {
			if want := uint32(i) << 16; math.Float32bits(v) != want {
				t.Fatalf("BF16 %#04x: %#08x, want %#08x", i, math.Float32bits(v), want)
			}
		}
	})
}

func FuzzFloats(f *testing.F) {
	f.Add(uint64(1), uint16(33), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, off uint8) {
		defer Reset()
		size := 1 + int(n)%1000
		for _, tier := range Tiers() {
			if err := Select(tier); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(seed, 1))
			x := make([]float32, size)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			for _, format := range []quant.Type{quant.F32, quant.F16, quant.BF16} {
				if err := checkFloat(format, x, size, int(off)%8, r); err != nil {
					t.Fatalf("%s: %v", tier, err)
				}
			}
			if err := checkGemmFloat(size, int(off)%8, r); err != nil {
				t.Fatalf("%s: %v", tier, err)
			}
		}
	})
}

func BenchmarkGemmFloat(b *testing.B) {
	defer Reset()
	const n = 768
	w, a := make([]float32, PanelRows*(n+16)), make([]float32, n*PanelRows)
	var c [PanelRows * PanelRows]float32
	for _, tier := range Tiers() {
		if err := Select(tier); err != nil {
			b.Fatal(err)
		}
		b.Run("n=768/impl="+tier, func(b *testing.B) {
			for b.Loop() {
				GemmFloat(&c, w, n+16, a, nil)
			}
			b.ReportMetric(float64(n*PanelRows*PanelRows)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmac/s")
		})
	}
}

// Long rows are multiplied some together, to the same bits.
func TestGemvFloatLongRows(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, f := range []quant.Type{quant.F32, quant.F16, quant.BF16} {
			for _, n := range []int{4 << 10, 5<<10 + 37} {
				r := newRand(uint64(n))
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(r.NormFloat64())
				}
				const most = 19
				w, _ := stored(f, n*most, 1, r)
				want := make([]float32, most)
				gemvFloatGeneric(f, want, w, len(w)/most, x)
				for rows := 1; rows <= most; rows++ {
					got := append(make([]float32, rows), 7)
					GemvFloat(f, got[:rows], w, len(w)/most, x)
					if !slices.Equal(got[:rows], want[:rows]) || got[rows] != 7 {
						t.Errorf("%v, %d rows of %d: %v, want %v and 7", f, rows, n, got, want[:rows])
					}
				}
			}
		}
	})
}
