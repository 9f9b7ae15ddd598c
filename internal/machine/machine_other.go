//go:build !linux && !darwin && !windows

package machine

import "runtime"

func memory() Limit { return Limit(unbounded()) }

func cores() int { return runtime.NumCPU() }
