package asm

import (
	"slices"
	"testing"

	"github.com/normswap/normswap/quant"
)

// What is measured may be any of the kernels that the machine has; who names a tier
// gets its own.
func TestTune(t *testing.T) {
	t.Setenv(EnvISA, "")
	defer Reset()
	names := map[quant.Type][]string{}
	for _, tier := range Tiers() {
		if err := Select(tier); err != nil {
			t.Fatal(err)
		}
		for _, typ := range quant.Types() {
			name := GemvTier(typ)
			Tune(typ)
			if after := GemvTier(typ); after != name {
				t.Errorf("%s, %v: %q became %q", tier, typ, name, after)
			}
			names[typ] = append(names[typ], name)
		}
	}
	if err := Reset(); err != nil {
		t.Fatal(err)
	}
	for _, typ := range quant.Types() {
		Tune(typ)
		name := GemvTier(typ)
		if !slices.Contains(names[typ], name) {
			t.Errorf("%v is multiplied by %s, want one of %s", typ, name, names[typ])
		}
	}
}
