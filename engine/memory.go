package engine

import (
	"errors"
	"fmt"

	"github.com/normswap/normswap/internal/machine"
)

// ErrMemory tells that a session would need more memory than there is.
var ErrMemory = errors.New("not enough memory")

// checkMemory fails if the full cache of s takes more memory than this process
// can have. A context may be as long as a stranger's file says, and running out
// of memory cannot be caught.
func (s *Session) checkMemory() error {
	need, have := statesBytes(s.model.Arch), machine.Memory()
	for _, c := range s.kv {
		need += c.MaxBytes()
	}
	if need <= float64(have.Bytes) {
		return nil
	}
	const gib = 1 << 30
	return fmt.Errorf("engine: %w: a context of %d positions takes %.2f GiB, and %s leaves %.2f GiB", ErrMemory, s.max, need/gib, have.By, float64(have.Bytes)/gib)
}
