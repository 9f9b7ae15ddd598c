package engine

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ErrMemory tells that a session would need more memory than there is.
var ErrMemory = errors.New("not enough memory")

// checkMemory fails if the full cache of s takes more than the memory of the
// machine. A context may be as long as a stranger's file says, and running out
// of memory cannot be caught.
func (s *Session) checkMemory() error {
	need, have := 0.0, float64(SystemMemory())
	for _, c := range s.kv {
		need += c.MaxBytes()
	}
	if need <= have {
		return nil
	}
	const gib = 1 << 30
	return fmt.Errorf("engine: %w for a context of %d positions: its cache takes %.1f GiB, this machine has %.1f GiB", ErrMemory, s.max, need/gib, have/gib)
}

// SystemMemory returns the bytes of memory that this process may have at most:
// those of the machine or of its container; [math.MaxInt] where the system does
// not say.
func SystemMemory() int {
	most := 1 << 36
	var kib int
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err == nil {
			most = kib << 10
		}
	}
	for _, limit := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(limit)
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n > 0 {
			most = min(most, n) // "max" is no number
		}
	}
	return most
}
