package main

import (
	"errors"
	"syscall"

	"github.com/normswap/normswap/engine"
)

// advice names the flags that help against an error of a library, which knows
// of none.
func advice(err error) string {
	var finite *engine.FiniteError
	switch {
	case errors.As(err, &finite) && finite.Where == "":
		return " (--check-finite says where)"
	case errors.As(err, &finite) && finite.F16:
		return " (--kv f32)"
	case errors.Is(err, engine.ErrEncoder):
		return " (infer embed makes them)"
	case errors.Is(err, syscall.EADDRINUSE):
		return " (--port takes another)"
	case errors.Is(err, engine.ErrMemory):
		return " (--ctx takes fewer positions)"
	}
	return ""
}
