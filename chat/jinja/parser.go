package jinja

import (
	"slices"
	"strings"
)

// parser reads expressions, as jinja2.parser does; parsestmt.go has the
// statements.
type parser struct {
	tokens  []token
	at      int
	nesting int
	loops   int      // loops around that break and continue may leave
	soft    bool     // inside an if: unknown filters and tests fail when they are used
	unknown []func() // fail for the others, when the whole program was parsed
	special *specials
	blocks  map[string]*blockStmt
}

// specials are the names with a meaning in a macro that its body reads.
type specials struct{ caller, kwargs, varargs bool }

func (p *parser) cur() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) look() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) isName(names ...string) bool {
	t := p.cur()
	return t.kind == "name" && slices.Contains(names, t.text)
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skip(kind string) bool {
	if p.cur().kind == kind {
		p.next()
		return true
	}
	return false
}

func (p *parser) fail(format string, args ...any) {
	failAt(p.cur().line, kindSyntax, format, args...)
}

func (t token) describe() string {
	if t.kind == "name" {
		return t.text
	}
	return t.kind
}

func (p *parser) expect(kind string) token {
	if p.cur().kind != kind {
		p.fail("expected token '%s', got '%s'", kind, p.cur().describe())
	}
	return p.next()
}

func (p *parser) expectName(name string) {
	if !p.skipName(name) {
		p.fail("expected token '%s', got '%s'", name, p.cur().describe())
	}
}

// nest counts how deep the source nests; its result ends the level.
func (p *parser) nest() func() {
	if p.nesting++; p.nesting > maxNesting {
		failAt(p.cur().line, kindLimit, "the template nests deeper than %d levels", maxNesting)
	}
	return func() { p.nesting-- }
}

func (p *parser) expression() expr {
	defer p.nest()()
	unknown := len(p.unknown)
	first := p.or()
	for p.isName("if") {
		p.unknown = p.unknown[:unknown]
		line := p.next().line
		soft := p.soft
		p.soft = true
		e := &condExpr{line: line, test: p.or(), then: first}
		if p.skipName("else") {
			e.other = p.expression()
		}
		p.soft = soft
		first = e
	}
	return first
}

// or reads an expression without a condition behind it.
func (p *parser) or() expr {
	left := p.and()
	for p.skipName("or") {
		left = &logic{or: true, left: left, right: p.and()}
	}
	return left
}

func (p *parser) and() expr {
	left := p.not()
	for p.skipName("and") {
		left = &logic{left: left, right: p.not()}
	}
	return left
}

func (p *parser) not() expr {
	if p.skipName("not") {
		defer p.nest()()
		return &notExpr{p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	left := p.sum()
	c := &compare{left: left}
	for {
		op := p.cur().kind
		switch {
		case slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op):
		case p.isName("in"):
			op = "in"
		case p.isName("not") && p.look().kind == "name" && p.look().text == "in":
			op = "not in"
			p.next()
		default:
			if len(c.ops) == 0 {
				return left
			}
			return c
		}
		p.next()
		c.ops, c.right = append(c.ops, op), append(c.right, p.sum())
	}
}

func (p *parser) sum() expr {
	return p.binary([]string{"+", "-"}, p.concat)
}

func (p *parser) concat() expr {
	parts := []expr{p.product()}
	for p.skip("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concat{parts}
}

func (p *parser) product() expr {
	return p.binary([]string{"*", "/", "//", "%"}, func() expr {
		return p.binary([]string{"**"}, func() expr { return p.unary(true) })
	})
}

// binary reads operands between operators of one rank, from the left.
func (p *parser) binary(ops []string, operand func() expr) expr {
	left := operand()
	for slices.Contains(ops, p.cur().kind) {
		t := p.next()
		left = &arithmetic{line: t.line, op: t.kind, left: left, right: operand()}
	}
	return left
}

func (p *parser) unary(filters bool) expr {
	var e expr
	if op := p.cur().kind; op == "-" || op == "+" {
		defer p.nest()()
		line := p.next().line
		e = &sign{line: line, op: op, of: p.unary(false)}
	} else {
		e = p.primary()
	}
	if e = p.postfix(e); filters {
		e = p.filters(e)
	}
	return e
}

func (p *parser) primary() expr {
	t := p.cur()
	switch t.kind {
	case "name":
		p.next()
		switch t.text {
		case "true", "True":
			return &constant{true}
		case "false", "False":
			return &constant{false}
		case "none", "None":
			return &constant{nil}
		}
		p.reads(t.text)
		return &name{t.line, t.text}
	case "string":
		var b strings.Builder
		for p.cur().kind == "string" {
			b.WriteString(p.next().text)
		}
		return &constant{Literal(b.String())}
	case "integer", "float":
		p.next()
		return &constant{t.num}
	case "(":
		p.next()
		e := p.tuple(true, true)
		p.expect(")")
		return e
	case "[":
		p.next()
		return &listExpr{p.series("]", p.expression)}
	case "{":
		p.next()
		e := &dictExpr{line: t.line}
		e.vals = p.series("}", func() expr {
			e.keys = append(e.keys, p.expression())
			p.expect(":")
			return p.expression()
		})
		return e
	}
	p.fail("unexpected '%s'", t.describe())
	return nil
}

// reads notes that a macro's body reads a name.
func (p *parser) reads(name string) {
	if p.special == nil {
		return
	}
	switch name {
	case "caller":
		p.special.caller = true
	case "kwargs":
		p.special.kwargs = true
	case "varargs":
		p.special.varargs = true
	}
}

// series reads items between commas up to a closing bracket; a comma may stand
// behind the last.
func (p *parser) series(close string, item func() expr) (items []expr) {
	for p.cur().kind != close {
		if len(items) > 0 {
			p.expect(",")
			if p.cur().kind == close {
				break
			}
		}
		items = append(items, item())
	}
	p.expect(close)
	return items
}

// tuple reads one expression, or a tuple if commas follow. stop are names that
// may follow a last comma.
func (p *parser) tuple(condition, parentheses bool, stop ...string) expr {
	item := p.or
	if condition {
		item = p.expression
	}
	var items []expr
	comma := false
	for !p.tupleEnds(stop) {
		items = append(items, item())
		if comma = p.skip(","); !comma {
			break
		}
	}
	if len(items) == 1 && !comma {
		return items[0]
	}
	if len(items) == 0 && !parentheses {
		p.fail("Expected an expression, got '%s'", p.cur().describe())
	}
	return &tupleExpr{items}
}

func (p *parser) tupleEnds(stop []string) bool {
	return slices.Contains([]string{"}}", "%}", ")"}, p.cur().kind) || p.isName(stop...)
}
