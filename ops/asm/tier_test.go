package asm

import (
	"strings"
	"testing"

	"github.com/normswap/normswap/quant"
)

// A tier that the environment names must be there: this is how ./check knows
// that an emulated processor has those it should test.
func TestStartTier(t *testing.T) {
	if err := Reset(); err != nil {
		t.Error(err)
	}
}

func TestSelect(t *testing.T) {
	t.Cleanup(func() { Reset() }) // after the environment is restored
	for _, name := range Tiers() {
		if err := Select(strings.ToUpper(name)); err != nil || Active() != name {
			t.Errorf("Select(%s): active is %s, error %v", name, Active(), err)
		}
	}
	best := Active()
	if err := Select("mmx"); err == nil || !strings.Contains(err.Error(), strings.Join(Tiers(), ", ")) || Active() != best {
		t.Errorf("Select(mmx): active is %s, error %v", Active(), err)
	}
	t.Setenv(EnvISA, "mmx")
	if err := Reset(); err == nil || !strings.Contains(err.Error(), EnvISA) || Active() != best {
		t.Errorf("%s=mmx: active is %s, error %v", EnvISA, Active(), err)
	}
	t.Setenv(EnvISA, generic)
	if err := Reset(); err != nil || Active() != generic {
		t.Errorf("%s=generic: active is %s, error %v", EnvISA, Active(), err)
	}
}

// Every type with a layout has all kernels in every instruction set, and every type
// that a file may have blocks of has a layout.
func TestEveryTypeHasKernels(t *testing.T) {
	for _, typ := range quant.Types() {
		if f, _ := typ.Format(); f.Items > 1 && weightTypes[typ].Group == 0 {
			t.Errorf("%v has no layout", typ)
		}
	}
	defer Reset()
	for _, name := range Tiers()[1:] {
		if err := Select(name); err != nil {
			t.Fatal(err)
		}
		for _, typ := range quantTypes {
			if k := &active.ints[typ]; k.gemv == nil || k.unpack == nil || k.gemm == nil || k.sumColumns == nil {
				t.Errorf("%s: %v lacks kernels", name, typ)
			}
		}
	}
}
