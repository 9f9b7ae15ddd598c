package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

func TestKernels(t *testing.T) {
	t.Cleanup(func() { ops.SelectISA("") }) // after the environment is restored
	t.Setenv(ops.EnvISA, "")                // else plain Go may be all there is
	ops.SelectISA("")
	sizes := Sizes{NormWidths: []int{256}, NormRows: []int{1, 3}, Types: []quant.Type{quant.F32, quant.Q4_K},
		Cols: 256, DecodeBytes: 1 << 20, PrefillRows: 32, Tokens: 16}
	before := ops.ISA()
	var seen []string
	err := Kernels(context.Background(), sizes, 2, func(k Kernel) {
		seen = append(seen, k.Name+" "+k.Shape+" "+k.Tier)
		if k.Time <= 0 || k.Limit < k.Speed() || k.Speed() <= 0 || k.Bytes <= 0 || (k.Basis == Adding || k.Basis == AddingInts) && k.Flops != 2*32*256*16 {
			t.Errorf("%+v", k)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, shape := range []string{
		"LayerNorm, gain and bias 1 x 256", "RMSNorm, gain and bias 1 x 256", "RMSNorm, gain 1 x 256",
		"LayerNorm, gain and bias 3 x 256", "RMSNorm, gain and bias 3 x 256", "RMSNorm, gain 3 x 256",
		"matmul F32 1024 x 256, 1 row", "matmul F32 32 x 256, 16 rows",
		fmt.Sprintf("matmul Q4_K %d x 256, 1 row", 1<<20/144/16*16), "matmul Q4_K 32 x 256, 16 rows",
	} {
		tiers := ops.ISAs()
		if strings.HasPrefix(shape, "matmul") && len(tiers) > 1 {
			tiers = tiers[1:]
		}
		for _, tier := range tiers {
			want = append(want, shape+" "+tier)
		}
	}
	if sizes.Count() != len(want) {
		t.Errorf("Count is %d, want %d", sizes.Count(), len(want))
	}
	if !slices.Equal(seen, want) {
		t.Errorf("measured %q, want %q", seen, want)
	}
	if ops.ISA() != before {
		t.Errorf("the instruction set is %s, was %s", ops.ISA(), before)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Kernels(ctx, sizes, 1, func(Kernel) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
