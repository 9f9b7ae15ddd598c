package hf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// A config is config.json. Its methods keep the first error, so that a family
// can ask for all that it needs.
type config struct {
	m   map[string]any
	err error
}

func readConfig(dir string) (*config, error) {
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(python(b)))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return &config{m: m}, nil
}

// python replaces the numbers that Python writes and JSON has not.
func python(b []byte) []byte {
	return bytes.ReplaceAll(b, []byte(": Infinity"), []byte(": 1e308"))
}

func (c *config) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("config.json: "+format, args...)
	}
}

// find returns the first of some keys that is there and not null.
func (c *config) find(keys ...string) (any, string) {
	for _, k := range keys {
		if v := c.m[k]; v != nil {
			return v, k
		}
	}
	return nil, keys[0]
}

func (c *config) has(keys ...string) bool {
	v, _ := c.find(keys...)
	return v != nil
}

// float returns a number under one of some keys, or def; a def of NaN makes it
// necessary.
func (c *config) float(def float64, keys ...string) float64 {
	v, k := c.find(keys...)
	switch n := v.(type) {
	case json.Number:
		if f, err := n.Float64(); err == nil {
			return f
		}
	case nil:
		if math.IsNaN(def) {
			c.fail("%s is missing", strings.Join(keys, " or "))
			return 0
		}
		return def
	}
	c.fail("%s is %.40v, want a number", k, v)
	return 0
}

const missing = math.MinInt32

// int returns an integer under one of some keys, or def; the def missing makes it
// necessary.
func (c *config) int(def int, keys ...string) int {
	d := float64(def)
	if def == missing {
		d = math.NaN()
	}
	f := c.float(d, keys...)
	if f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		_, k := c.find(keys...)
		c.fail("%s is %v, want an integer", k, f)
		return 0
	}
	return int(f)
}

func (c *config) bool(def bool, keys ...string) bool {
	v, k := c.find(keys...)
	if v == nil {
		return def
	}
	b, ok := v.(bool)
	if !ok {
		c.fail("%s is %.40v, want true or false", k, v)
	}
	return b
}

func (c *config) string(def string, keys ...string) string {
	v, k := c.find(keys...)
	if v == nil {
		return def
	}
	s, ok := v.(string)
	if !ok {
		c.fail("%s is %.40v, want a string", k, v)
	}
	return s
}

func (c *config) strings(key string) []string {
	items, _ := c.m[key].([]any)
	all := make([]string, len(items))
	for i, v := range items {
		s, ok := v.(string)
		if !ok {
			c.fail("%s[%d] is %.40v, want a string", key, i, v)
		}
		all[i] = s
	}
	return all
}

func (c *config) floats(key string) []float32 {
	items, _ := c.m[key].([]any)
	all := make([]float32, len(items))
	for i, v := range items {
		n, ok := v.(json.Number)
		f, err := n.Float64()
		if !ok || err != nil {
			c.fail("%s[%d] is %.40v, want a number", key, i, v)
		}
		all[i] = float32(f)
	}
	return all
}

// sub returns an object within the configuration; an empty one if there is none.
func (c *config) sub(key string) *config {
	m, _ := c.m[key].(map[string]any)
	return &config{m: m}
}

// not refuses a configuration in which a switch is on that nothing here keeps.
func (c *config) not(keys ...string) {
	for _, k := range keys {
		if v := c.m[k]; v == true {
			c.fail("%s is true, which is not supported", k)
		}
	}
}

// A rope is the RoPE of one kind of layer.
type rope struct {
	base    float64
	partial float64
	kind    string
	*config // the parameters of the scaling
}

// rope reads RoPE in the style of transformers 4 (rope_theta, rope_scaling) or 5
// (rope_parameters, which may be nested by the kind of layer).
func (c *config) rope(kind string, base float64) rope {
	r := rope{base: base, partial: 1}
	p := c.sub("rope_parameters")
	if nested, ok := p.m[kind].(map[string]any); ok {
		p = &config{m: nested}
	}
	if p.m == nil {
		p = c.sub("rope_scaling")
	}
	r.base = c.float(base, "rope_theta", "rotary_emb_base")
	r.partial = c.float(1, "partial_rotary_factor", "rotary_pct")
	if p.m != nil {
		r.base = p.float(r.base, "rope_theta")
		r.partial = p.float(r.partial, "partial_rotary_factor")
	}
	r.kind = p.string("default", "rope_type", "type")
	r.config = p
	if p.err != nil && c.err == nil {
		c.err = p.err
	}
	return r
}
