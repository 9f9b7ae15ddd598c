package machine

import (
	"math"
	"runtime"

	"golang.org/x/sys/unix"
)

func memory() Limit {
	m := unbounded()
	if n, err := unix.SysctlUint64("hw.memsize"); err == nil {
		m.bound(int64(min(n, math.MaxInt64)), "the machine")
	}
	return Limit(m)
}

func cores() int {
	n, err := unix.SysctlUint32("hw.physicalcpu")
	if err != nil {
		return runtime.NumCPU()
	}
	return min(int(n), runtime.NumCPU())
}
