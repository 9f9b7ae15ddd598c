package asm

import (
	"strings"
	"testing"
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
