package asm

import (
	"fmt"
	"os"
	"strings"
)

// A tier is an instruction set that kernels may use. Tiers form a ladder: a
// higher one implies those below it, and a kernel without a version for the
// active tier uses the next lower one it has.
type tier struct {
	name      string
	available bool // on this CPU
	use       *bool
}

// EnvISA is the environment variable that caps the ladder, by a name that
// [Tiers] lists. It is read once, when the program starts.
const EnvISA = "NORMSWAP_ISA"

// generic is the lowest tier: plain Go.
const generic = "generic"

// Tiers lists the tiers that this machine can run, lowest first. The first
// is always "generic", the last is what is used unless told otherwise.
func Tiers() []string {
	names := []string{generic}
	for _, t := range tiers {
		if t.available {
			names = append(names, t.name)
		}
	}
	return names
}

// Active returns the highest tier in use.
func Active() string {
	active := generic
	for _, t := range tiers {
		if *t.use {
			active = t.name
		}
	}
	return active
}

// Select caps the ladder at the named tier. It is meant for tests,
// benchmarks and program start: it must not run while kernels run.
func Select(name string) error {
	names := Tiers()
	top := -1
	for i, n := range names {
		if strings.EqualFold(n, name) {
			top = i
		}
	}
	if top < 0 {
		return fmt.Errorf("asm: no instruction set %q on this machine, have %s", name, strings.Join(names, ", "))
	}
	i := 0
	for _, t := range tiers {
		if t.available {
			i++
		}
		*t.use = t.available && i <= top
	}
	return nil
}

// Reset restores the choice made at program start.
func Reset() { startTier() }

// startTier selects the best tier, or the one EnvISA names.
func startTier() error {
	names := Tiers()
	name := names[len(names)-1]
	if s := os.Getenv(EnvISA); s != "" {
		if err := Select(s); err != nil {
			Select(name)
			return fmt.Errorf("%s: %w", EnvISA, err)
		}
		return nil
	}
	return Select(name)
}

// StartErr tells what was wrong with EnvISA, if anything.
var StartErr = startTier()
