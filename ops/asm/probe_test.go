package asm

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestRead(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]byte, 5*readBlock+100)
	for i := range x {
		x[i] = byte(r.Uint32())
	}
	eachTier(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 511, 512, 513, 1024, 5*readBlock + 99} {
			for off := range 2 {
				x := x[off : off+n]
				var want uint64
				for i := 0; i < n/readBlock*readBlock; i += 8 {
					want += binary.LittleEndian.Uint64(x[i:])
				}
				for loop := range ReadLoops {
					if got := Read(loop, x); got != want {
						t.Errorf("loop %d, n=%d off=%d: sum %d, want %d", loop, n, off, got, want)
					}
				}
			}
		}
	})
}

func TestPeak(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, rounds := range []int{0, 1, 2, 1000} {
			flops, sum := Peak(rounds)
			if sum != float32(peakChains*rounds) || rounds > 0 && (flops <= 0 || flops%(2*peakChains*rounds) != 0) {
				t.Errorf("%d rounds: %d operations, sum %v", rounds, flops, sum)
			}
			ops, total := IntPeak(rounds)
			if total != int32(4*peakChains*rounds) || rounds > 0 && (ops <= 0 || ops%(2*peakChains*rounds) != 0) {
				t.Errorf("%d rounds of integers: %d operations, sum %v", rounds, ops, total)
			}
			flops, sum = BF16Peak(rounds)
			if HasBF16() && (sum != float32(2*peakChains*rounds) || rounds > 0 && flops <= 0) || !HasBF16() && flops != 0 {
				t.Errorf("%d rounds of BF16: %d operations, sum %v", rounds, flops, sum)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	x := make([]byte, 256<<20)
	for i := 0; i < len(x); i += 1 << 12 {
		x[i] = 1 // a page that nobody has written to is not read from memory
	}
	for loop, l := range readLoops {
		b.Run(fmt.Sprintf("streams=%d/ahead=%d", l.streams, l.ahead), func(b *testing.B) {
			b.SetBytes(int64(len(x)))
			for b.Loop() {
				Read(loop, x)
			}
		})
	}
}

func BenchmarkPeak(b *testing.B) {
	flops := 0
	for b.Loop() {
		n, _ := Peak(1e6)
		flops += n
	}
	b.ReportMetric(float64(flops)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkIntPeak(b *testing.B) {
	ops := 0
	for b.Loop() {
		n, _ := IntPeak(1e6)
		ops += n
	}
	b.ReportMetric(float64(ops)/b.Elapsed().Seconds()/1e9, "Gop/s")
}

func BenchmarkBF16Peak(b *testing.B) {
	flops := 0
	for b.Loop() {
		n, _ := BF16Peak(1e6)
		flops += n
	}
	b.ReportMetric(float64(flops)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
