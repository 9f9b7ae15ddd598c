package arch

import (
	"fmt"
	"slices"

	"github.com/normswap/normswap/gguf"
)

// windows returns the sliding window of each layer.
func (r *reader) windows(s *Spec, layers int) []int {
	all := make([]int, layers)
	if s.WindowPeriod == 0 && !s.WindowAll {
		// Converters write a window for models that run without one too. A pattern
		// that names the layers is no accident.
		_, pattern := flags(r.meta, r.key(keyWindowPattern))
		if _, width := r.meta.Lookup(r.key(keyWindow)); !pattern || !width {
			return all
		}
	}
	if s.WindowDepth > 0 && layers != s.WindowDepth {
		r.read[keyWindow] = true // other models have none, as in llama.cpp
		return all
	}
	if s.Windows == Required {
		need[int](r, keyWindow)
	}
	width := opt(r, keyWindow, s.Window)
	if width < 0 || width == 0 && (s.Windows == Required || s.Window > 0) {
		r.fail(fmt.Errorf("%s is %d", r.key(keyWindow), width))
	}
	if r.err != nil || width == 0 {
		return all
	}
	if s.WindowAll {
		return slices.Repeat([]int{width}, layers)
	}
	const key = keyWindowPattern
	r.read[key] = true
	if each, ok := flags(r.meta, r.key(key)); ok {
		if len(each) != layers {
			r.fail(fmt.Errorf("%s has %d elements, want one for each of %d layers", r.key(key), len(each), layers))
			return all
		}
		for i, windowed := range each {
			if windowed {
				all[i] = width
			}
		}
		return all
	}
	every := opt(r, key, s.WindowPeriod)
	if every < 0 || every > layers+s.WindowPeriod {
		r.fail(fmt.Errorf("%s is %d, want 0 to %d", r.key(key), every, layers+s.WindowPeriod))
		return all
	}
	global := every - 1
	if s.GlobalFirst {
		global = 0
	}
	for i := range all {
		if every == 0 || i%every != global { // 0: no layer is global
			all[i] = width
		}
	}
	return all
}

// flags returns an array of booleans, or of integers that serve as such.
func flags(m *gguf.Meta, key string) ([]bool, bool) {
	if each, err := gguf.Get[[]bool](m, key); err == nil {
		return each, true
	}
	each, err := gguf.Get[[]int](m, key)
	if err != nil {
		return nil, false
	}
	on := make([]bool, len(each))
	for i, v := range each {
		on[i] = v != 0
	}
	return on, true
}
