package scale

import (
	"fmt"
	"strings"
)

// parseYAML reads the part of YAML that the manifests use: mappings,
// sequences, scalars, flow sequences of quoted strings, and literal blocks.
// Anything else is an error that names the line.
func parseYAML(text string) (any, error) {
	p := &yamlParser{}
	for i, raw := range strings.Split(text, "\n") {
		body := strings.TrimLeft(raw, " ")
		p.lines = append(p.lines, yamlLine{i + 1, len(raw) - len(body), strings.TrimRight(body, " ")})
	}
	p.skip()
	if p.done() {
		return nil, fmt.Errorf("empty document")
	}
	v, err := p.value(p.lines[0].indent)
	if err == nil && !p.done() {
		err = p.fail("unexpected indentation")
	}
	return v, err
}

type yamlLine struct {
	number, indent int
	body           string
}

type yamlParser struct{ lines []yamlLine }

func (p *yamlParser) done() bool { return len(p.lines) == 0 }

// skip drops blank lines and comments.
func (p *yamlParser) skip() {
	for !p.done() && (p.lines[0].body == "" || p.lines[0].body[0] == '#') {
		p.lines = p.lines[1:]
	}
}

func (p *yamlParser) fail(what string) error {
	return fmt.Errorf("line %d: %s: %q", p.lines[0].number, what, p.lines[0].body)
}

// value reads the mapping or the sequence whose lines stand at indent.
func (p *yamlParser) value(indent int) (any, error) {
	if p.skip(); p.done() || p.lines[0].indent != indent {
		return nil, fmt.Errorf("a value is missing at column %d", indent)
	}
	if strings.HasPrefix(p.lines[0].body, "- ") {
		return p.sequence(indent)
	}
	return p.mapping(indent)
}

func (p *yamlParser) sequence(indent int) (any, error) {
	var out []any
	for !p.done() && p.lines[0].indent == indent && strings.HasPrefix(p.lines[0].body, "- ") {
		// What follows the dash is a value two columns further in.
		l := &p.lines[0]
		l.body, l.indent = l.body[2:], indent+2
		var v any
		var err error
		if _, _, ok := keyed(l.body); ok {
			v, err = p.mapping(indent + 2)
		} else {
			v, err = p.scalar(indent)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		p.skip()
	}
	return out, nil
}

func (p *yamlParser) mapping(indent int) (any, error) {
	out := map[string]any{}
	for !p.done() && p.lines[0].indent == indent {
		key, rest, ok := keyed(p.lines[0].body)
		if !ok {
			return nil, p.fail("not a key")
		}
		if _, twice := out[key]; twice {
			return nil, p.fail("the key is there twice")
		}
		var v any
		var err error
		if rest == "" {
			p.lines = p.lines[1:]
			if p.skip(); p.done() || p.lines[0].indent <= indent {
				return nil, fmt.Errorf("key %s has no value", key)
			}
			v, err = p.value(p.lines[0].indent)
		} else {
			p.lines[0].body = rest
			v, err = p.scalar(indent)
		}
		if err != nil {
			return nil, err
		}
		out[key] = v
		p.skip()
	}
	if !p.done() && p.lines[0].indent > indent {
		return nil, p.fail("unexpected indentation")
	}
	return out, nil
}

// keyed splits "key: rest"; keys are plain words.
func keyed(s string) (key, rest string, ok bool) {
	key, rest, ok = strings.Cut(s, ":")
	if !ok || key == "" || strings.ContainsAny(key, " \"'[]{}|>#&*!\t") || rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	return key, strings.TrimSpace(rest), true
}

// scalar reads what stands on the current line, or the block that it opens.
func (p *yamlParser) scalar(indent int) (any, error) {
	s := p.lines[0].body
	switch {
	case s == "|":
		p.lines = p.lines[1:]
		var out []string
		for !p.done() && (p.lines[0].indent > indent || p.lines[0].body == "") {
			out = append(out, p.lines[0].body)
			p.lines = p.lines[1:]
		}
		return strings.Join(out, "\n"), nil
	case strings.HasPrefix(s, "["):
		if !strings.HasSuffix(s, "]") {
			return nil, p.fail("a sequence without its end")
		}
		var out []any
		for item := range strings.SplitSeq(s[1:len(s)-1], ",") {
			item = strings.TrimSpace(item)
			if len(item) < 2 || item[0] != '"' || item[len(item)-1] != '"' {
				return nil, p.fail("not a quoted string")
			}
			out = append(out, item[1:len(item)-1])
		}
		p.lines = p.lines[1:]
		return out, nil
	case s[0] == '"':
		if len(s) < 2 || s[len(s)-1] != '"' {
			return nil, p.fail("a string without its end")
		}
		s = s[1 : len(s)-1]
	case strings.ContainsAny(s[:1], "&*!{}>%@`'\t") || strings.Contains(s, ": ") || strings.Contains(s, " #"):
		return nil, p.fail("beyond the YAML that is checked here")
	}
	p.lines = p.lines[1:]
	return s, nil
}
