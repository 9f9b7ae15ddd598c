package jinja

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzRender runs arbitrary programs: each ends, within the bounds of time and
// memory, with a text or with one line that says why not.
func FuzzRender(f *testing.F) {
	for _, source := range []string{
		"{% for m in messages %}<|{{ m.role }}|>{{ m['content']|trim }}{% if loop.last %}{{ eos }}{% endif %}{% endfor %}",
		"{%- set ns = namespace(x='') -%}{% for i in range(9) %}{% set ns.x = ns.x + i|string %}{% endfor %}{{ ns.x[::-1]|upper }}",
		"{% macro f(a, b=2) %}{{ a }}{{ varargs }}{{ kwargs|tojson(indent=2) }}{{ caller() }}{% endmacro %}{% call f(1, 2, 3, c=4) %}x{% endcall %}",
		"{{ 'a' * 10000000000 }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ '%s %5.2f {}'.format(1) % ('a', 1.5) }}",
		"{{ messages|selectattr('role', 'eq', 'user')|map(attribute='content')|join(', ')|replace('a', 'b')|indent }}",
		"{% raw %}{{{% endraw %}{# x #}{{ {'a': [1, 2.5, none]}|dictsort|list|string }}{{ strftime_now('%A %d') }}{{ raise_exception('x') }}",
		"{% for x in messages recursive %}{{ loop(x.values()) if x is mapping }}{% break %}{% endfor %}{{ 'a b'.split()|batch(2)|list }}",
	} {
		f.Add(source)
	}
	vars, err := ParseJSON([]byte(`{"messages": [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": [{"type": "text"}]}], "n": 3, "f": 0.5}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		tmpl, err := Parse(source)
		var pieces []Piece
		if err == nil {
			pieces, err = tmpl.Render(ctx, vars.(*Dict), begin)
		}
		// A program that the bounds do not end is stopped by ctx.
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it still ran after %v", time.Since(begin))
		}
		var raised *Error
		if err != nil && !errors.As(err, &raised) {
			t.Errorf("%v is no Error", err)
		}
		n := 0
		for _, p := range pieces {
			n += len(p.Text)
		}
		if n > 4*MaxText {
			t.Errorf("%d bytes of text", n)
		}
		runtime.ReadMemStats(&after)
		if used := int64(after.HeapSys) - int64(before.HeapSys); used > 4<<30 {
			t.Errorf("the heap grew by %d bytes", used)
		}
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error without a text")
		}
	})
}
