package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tojsonFilter is transformers' filter tojson, which is Python's json.dumps.
func tojsonFilter(c *call, v Value) Value {
	a := c.args("ensure_ascii=", "indent=", "separators=", "sort_keys=")
	w := &jsonWriter{b: &buffer{in: c.in}, ascii: c.flag(a[0], false), sort: c.flag(a[3], false), comma: ", ", colon: ": "}
	if given(a[1]) {
		w.lines, w.comma = true, ","
		if s, ok := a[1].(Str); ok {
			w.indent = s
		} else {
			n := max(0, c.integer(a[1], 0))
			w.indent = c.in.repeat(Literal(" "), n, n).(Str)
		}
	}
	if given(a[2]) {
		pair := c.in.list(a[2])
		if len(pair) != 2 {
			c.in.fail(kindValue, "separators are not two strings")
		}
		w.comma, w.colon = c.text(pair[0]).String(), c.text(pair[1]).String()
	}
	w.write(v, 0)
	return w.b.str()
}

// jsonWriter is Python's json.dumps.
type jsonWriter struct {
	b            *buffer
	ascii, sort  bool
	lines        bool // one item a line
	indent       Str
	comma, colon string
}

// newline begins a line at a depth.
func (w *jsonWriter) newline(depth int) {
	if !w.lines {
		return
	}
	w.b.text("\n")
	for range depth {
		w.b.add(w.indent)
	}
}

func (w *jsonWriter) write(v Value, depth int) {
	in := w.b.in
	in.enter()
	defer in.leave()
	in.step(1)
	switch v := v.(type) {
	case nil:
		w.b.text("null")
	case bool:
		w.b.text(strconv.FormatBool(v))
	case int:
		w.b.text(strconv.Itoa(v))
	case float64:
		w.b.text(jsonFloat(v))
	case Str:
		w.str(v)
	case *List:
		w.list(v.items, depth)
	case *Tuple:
		w.list(v.items, depth)
	case *Dict:
		w.dict(v, depth)
	default:
		in.fail(kindType, "Object of type %s is not JSON serializable", typeName(v))
	}
}

func (w *jsonWriter) list(items []Value, depth int) {
	if len(items) == 0 {
		w.b.text("[]")
		return
	}
	w.b.text("[")
	for i, item := range items {
		if i > 0 {
			w.b.text(w.comma)
		}
		w.newline(depth + 1)
		w.write(item, depth+1)
	}
	w.newline(depth)
	w.b.text("]")
}

func (w *jsonWriter) dict(d *Dict, depth int) {
	if len(d.keys) == 0 {
		w.b.text("{}")
		return
	}
	in := w.b.in
	order := make([]Value, len(d.keys))
	for i := range order {
		order[i] = d.item(i)
	}
	in.items(len(order))
	if w.sort {
		order = in.sorted(order, func(v Value) Value { return v.(*Tuple).items[0] }, false)
	}
	w.b.text("{")
	for i, pair := range order {
		if i > 0 {
			w.b.text(w.comma)
		}
		w.newline(depth + 1)
		item := pair.(*Tuple).items
		switch key := item[0].(type) {
		case Str:
			w.str(key)
		case nil, bool, int, float64:
			w.b.text(`"`)
			w.write(key, depth)
			w.b.text(`"`)
		default:
			in.fail(kindType, "keys must be str, int, float, bool or None, not %s", typeName(key))
		}
		w.b.text(w.colon)
		w.write(item[1], depth+1)
	}
	w.newline(depth)
	w.b.text("}")
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

func (w *jsonWriter) str(s Str) {
	out := make([]rune, 0, len(s.c)+2)
	out = append(out, '"')
	for _, r := range s.c {
		mark := r & fromContent
		r = plain(r)
		var esc string
		switch i := strings.IndexRune("\"\\\n\r\t\b\f", r); {
		case i >= 0:
			esc = `\` + string(`"\nrtbf`[i])
		case r < ' ' || w.ascii && 0x7f <= r && r < 0x10000 && r != 0x7f:
			esc = fmt.Sprintf(`\u%04x`, r)
		case w.ascii && r >= 0x10000:
			r -= 0x10000
			esc = fmt.Sprintf(`\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			out = append(out, r|mark)
			continue
		}
		for _, e := range esc {
			out = append(out, e|mark)
		}
	}
	w.b.add(Str{c: append(out, '"')})
}

// maxJSONDepth is how deep JSON may nest that a program is given.
const maxJSONDepth = 500

// ParseJSON reads a value whose strings are content. The order of keys stays;
// of equal ones the last has the value, as in Python.
func ParseJSON(data []byte) (Value, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("jinja: no valid JSON: it is not UTF-8")
	}
	p := &jsonParser{d: json.NewDecoder(bytes.NewReader(data))}
	p.d.UseNumber()
	v, err := p.value(0)
	if err == nil {
		if _, more := p.d.Token(); more != io.EOF {
			err = fmt.Errorf("there is more behind the value, at byte %d", p.d.InputOffset())
		}
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("it ends in the middle of a value")
	case err == nil && p.replaced > bytes.Count(data, []byte("\ufffd"))+bytes.Count(bytes.ToLower(data), []byte(`\ufffd`)):
		err = errors.New("it holds half of a surrogate pair")
	}
	if err != nil {
		return nil, fmt.Errorf("jinja: no valid JSON: %w", err)
	}
	return v, nil
}

type jsonParser struct {
	d        *json.Decoder
	replaced int // how often U+FFFD occurs, which is also what the decoder makes of half a surrogate pair
}

func (p *jsonParser) str(s string) Str {
	p.replaced += strings.Count(s, "\ufffd")
	return Content(s)
}

func (p *jsonParser) value(depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxJSONDepth)
	}
	t, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return p.str(t), nil
	case json.Number:
		return parseNumber(t.String())
	case json.Delim:
		if t == '[' {
			l := &List{}
			for p.d.More() {
				v, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, v)
			}
			_, err := p.d.Token()
			return l, err
		}
		o := NewDict()
		for p.d.More() {
			key, err := p.d.Token()
			if err != nil {
				return nil, err
			}
			v, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			o.Set(p.str(key.(string)), v)
		}
		_, err := p.d.Token()
		return o, err
	}
	return t, nil // nil or bool
}

func parseNumber(s string) (Value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, _ := strconv.ParseFloat(s, 64) // out of range: an infinity, as in Python
		return f, nil
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the integer %.40s is above 64 bits", s)
	}
	return int(i), nil
}
