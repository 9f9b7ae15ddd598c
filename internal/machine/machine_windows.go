package machine

import (
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

var globalMemoryStatus = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// memoryStatus is MEMORYSTATUSEX of sysinfoapi.h.
type memoryStatus struct {
	length, load                  uint32
	totalPhysical, freePhysical   uint64
	totalCommit, freeCommit       uint64
	totalAddresses, freeAddresses uint64
	freeExtended                  uint64
}

func memory() Limit {
	m := unbounded()
	var s memoryStatus
	s.length = uint32(unsafe.Sizeof(s))
	if ok, _, _ := globalMemoryStatus.Call(uintptr(unsafe.Pointer(&s))); ok != 0 {
		m.bound(int64(min(s.freePhysical, math.MaxInt64)), "the machine")
		m.bound(int64(min(s.freeCommit, math.MaxInt64)), "the commit limit")
		m.bound(int64(min(s.freeAddresses, math.MaxInt64)), "the address space")
	}
	return Limit(m)
}

func cores() int { return runtime.NumCPU() }
