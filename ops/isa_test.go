package ops

import (
	"strings"
	"testing"
)

func TestSelectISA(t *testing.T) {
	t.Cleanup(func() { SelectISA("") })
	best := ISA()
	for _, name := range ISAs() {
		if err := SelectISA(strings.ToUpper(name)); err != nil || ISA() != name {
			t.Errorf("SelectISA(%q): %v, %s is in use", name, err, ISA())
		}
	}
	if err := SelectISA("mmx"); err == nil || !strings.Contains(err.Error(), `"mmx"`) {
		t.Errorf("SelectISA(mmx): %v", err)
	}
	t.Setenv(EnvISA, "mmx")
	if err := SelectISA(""); err == nil || !strings.HasPrefix(err.Error(), "ops: "+EnvISA) || ISA() != ISAs()[len(ISAs())-1] {
		t.Errorf("%s=mmx: %v, %s is in use, %s was", EnvISA, err, ISA(), best)
	}
}
