package bench

import (
	"os"
	"runtime"
	"testing"
)

func TestPeakMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skipf("the system does not tell how much memory a process had: %v", err)
	}
	const size = 256 << 20 // more than any other test here takes
	before := PeakMemory()
	b := make([]byte, size)
	for i := range b {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	if peak := PeakMemory(); before <= 0 || peak < size || peak > before+size+size/4 {
		t.Errorf("a peak of %d bytes, %d before a slice of %d", peak, before, size)
	}
}
