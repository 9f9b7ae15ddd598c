package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A buffer collects characters within the bounds.
type buffer struct {
	in *interp
	c  []rune
}

func (b *buffer) add(s Str) {
	b.in.alloc(len(s.c))
	b.in.checkText(len(b.c) + len(s.c))
	b.c = append(b.c, s.c...)
}

// text adds characters of the program.
func (b *buffer) text(s string) { b.add(Literal(s)) }

func (b *buffer) str() Str { return Str{c: b.c} }

// str is Python's str(): what a value looks like in a text.
func (in *interp) str(v Value) Str {
	if s, ok := v.(Str); ok {
		s.markup = false
		return s
	}
	b := &buffer{in: in}
	in.writeStr(b, v)
	return b.str()
}

// soft is markupsafe's soft_str: Markup stays what it is.
func (in *interp) soft(v Value) Str {
	if s, ok := v.(Str); ok {
		return s
	}
	return in.str(v)
}

func (in *interp) writeStr(b *buffer, v Value) {
	switch v := v.(type) {
	case Str:
		b.add(v)
	case *undefined:
	default:
		in.writeRepr(b, v)
	}
}

// writeRepr is Python's repr().
func (in *interp) writeRepr(b *buffer, v Value) {
	in.enter()
	defer in.leave()
	in.step(1)
	switch v := v.(type) {
	case nil:
		b.text("None")
	case bool:
		b.text(map[bool]string{true: "True", false: "False"}[v])
	case int:
		b.text(strconv.Itoa(v))
	case float64:
		b.text(floatText(v))
	case Str:
		if v.markup {
			b.text("Markup(")
			defer b.text(")")
		}
		reprStr(b, v.c)
	case *undefined:
		b.text("Undefined")
	case *List:
		in.writeItems(b, "[", v.items, "]")
	case *Tuple:
		end := ")"
		if len(v.items) == 1 {
			end = ",)"
		}
		in.writeItems(b, "(", v.items, end)
	case *Dict:
		in.writeDict(b, v)
	case view:
		items := make([]Value, len(v.d.keys))
		for i := range items {
			items[i] = v.at(i)
		}
		in.items(len(items))
		in.writeItems(b, "dict_"+v.kind+"([", items, "])")
	case pyRange:
		if b.text(fmt.Sprintf("range(%d, %d", v.start, v.stop)); v.step != 1 {
			b.text(fmt.Sprintf(", %d", v.step))
		}
		b.text(")")
	case *namespace:
		b.text("<Namespace ")
		in.writeDict(b, v.attrs)
		b.text(">")
	case *macro:
		if v.node.name == "" {
			b.text("<Macro anonymous>")
		} else {
			b.text("<Macro " + reprText(v.node.name) + ">")
		}
	case *loop:
		b.text(fmt.Sprintf("<LoopContext %d/%d>", v.index0+1, v.length(in)))
	default: // Python prints an address
		in.fail(kindMissing, "a %s object is printed, which has no text", typeName(v))
	}
}

func (in *interp) writeItems(b *buffer, open string, items []Value, end string) {
	b.text(open)
	for i, item := range items {
		if i > 0 {
			b.text(", ")
		}
		in.writeRepr(b, item)
	}
	b.text(end)
}

func (in *interp) writeDict(b *buffer, d *Dict) {
	b.text("{")
	for i, key := range d.keys {
		if i > 0 {
			b.text(", ")
		}
		in.writeRepr(b, key)
		b.text(": ")
		in.writeRepr(b, d.vals[i])
	}
	b.text("}")
}

// reprStr is Python's repr of a string.
func reprStr(b *buffer, c []rune) {
	quote := '\''
	s := Str{c: c}.String()
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	out := make([]rune, 0, len(c)+2)
	out = append(out, quote)
	for _, r := range c {
		mark := r & fromContent
		r = plain(r)
		var esc string
		switch {
		case r == quote || r == '\\':
			esc = `\` + string(r)
		case r == '\n':
			esc = `\n`
		case r == '\r':
			esc = `\r`
		case r == '\t':
			esc = `\t`
		case r < ' ' || 0x7f <= r && r < 0x100 && !isPrintable(r):
			esc = fmt.Sprintf(`\x%02x`, r)
		case 0xD800 <= r && r < 0xE000 || r < 0x10000 && !isPrintable(r):
			esc = fmt.Sprintf(`\u%04x`, r)
		case !isPrintable(r):
			esc = fmt.Sprintf(`\U%08x`, r)
		default:
			out = append(out, r|mark)
			continue
		}
		for _, e := range esc {
			out = append(out, e|mark)
		}
	}
	b.add(Str{c: append(out, quote)})
}

// reprText is reprStr for the names in messages.
func reprText(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

// floatText is Python's repr of a float.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		return s
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func hashText(k any) string {
	s := fmt.Sprintf("%T %v", k, k)
	return strconv.Itoa(utf8.RuneCountInString(s)) + ":" + s
}
