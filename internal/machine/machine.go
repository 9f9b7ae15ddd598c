// Package machine tells what this process may use of its machine: memory and
// processors, within the limits that the system, the control groups of a
// container and the shell set.
package machine

import (
	"math"
	"runtime"
)

// A Limit is what bounds the memory that this process can take.
type Limit struct {
	// Bytes are left to take; [math.MaxInt64] where the system does not tell.
	Bytes int64
	// By names what leaves no more, such as "the machine"; it is empty where
	// the system does not tell.
	By string
}

// Memory returns how much memory this process can take now. On Linux that is
// the least of what the kernel calls available, of what the control groups that
// hold the process leave, and of what the limits of the address space and of
// data leave. Files in the page cache, those of a group included, give way and
// do not count as taken. Windows tells what is free, macOS what the machine has
// in all.
//
// It reads some small files: call it for each large piece of memory, not for
// each allocation.
func Memory() Limit { return memory() }

// least is a Limit that becomes the lowest of its bounds.
type least Limit

func unbounded() least { return least{Bytes: math.MaxInt64} }

func (l *least) bound(bytes int64, by string) {
	if bytes < l.Bytes {
		*l = least{max(bytes, 0), by}
	}
}

// Cores returns how many threads compute fastest: one for each core among the
// processors that this process may run on, hardware threads of one core counted
// once, but no more than there is processor time for in the control groups that
// hold it, nor than GOMAXPROCS. It is 1 at least.
//
// Linux tells all of that, macOS the cores of the machine; elsewhere each
// processor counts as a core.
func Cores() int { return max(1, min(cores(), runtime.GOMAXPROCS(0))) }
