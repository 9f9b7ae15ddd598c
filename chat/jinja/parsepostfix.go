package jinja

import "slices"

func (p *parser) postfix(e expr) expr {
	for {
		switch t := p.cur(); t.kind {
		case ".":
			p.next()
			switch a := p.next(); a.kind {
			case "name":
				e = &attribute{t.line, e, a.text, Literal(a.text)}
			case "integer":
				e = &item{t.line, e, &constant{a.num}}
			default:
				failAt(a.line, kindSyntax, "expected name or number")
			}
		case "[":
			p.next()
			e = &item{t.line, e, p.subscript()}
		case "(":
			e = &callExpr{line: t.line, of: e, args: p.arguments()}
		default:
			return e
		}
	}
}

// subscript reads what stands in brackets.
func (p *parser) subscript() expr {
	var parts []expr
	for p.cur().kind != "]" {
		if len(parts) > 0 {
			p.expect(",")
		}
		var s sliceExpr
		if p.cur().kind != ":" {
			e := p.expression()
			if p.cur().kind != ":" {
				parts = append(parts, e)
				continue
			}
			s.from = e
		}
		p.next()
		bound := func() expr {
			if k := p.cur().kind; k == ":" || k == "]" || k == "," {
				return nil
			}
			return p.expression()
		}
		if s.to = bound(); p.skip(":") {
			s.step = bound()
		}
		parts = append(parts, &s)
	}
	p.expect("]")
	if len(parts) == 1 {
		return parts[0]
	}
	return &tupleExpr{parts}
}

func (p *parser) arguments() (a arguments) {
	p.expect("(")
	for first := true; p.cur().kind != ")"; first = false {
		if !first {
			p.expect(",")
			if p.cur().kind == ")" {
				break
			}
		}
		ok := a.rest2 == nil
		switch {
		case p.skip("*"):
			ok = ok && a.rest == nil
			a.rest = p.expression()
		case p.skip("**"):
			a.rest2 = p.expression()
		case p.cur().kind == "name" && p.look().kind == "=":
			key := p.next().text
			p.next()
			a.names, a.named = append(a.names, key), append(a.named, p.expression())
		default:
			ok = ok && a.rest == nil && len(a.named) == 0
			a.pos = append(a.pos, p.expression())
		}
		if !ok {
			p.fail("invalid syntax for function call expression")
		}
	}
	p.expect(")")
	return a
}

// filters reads the filters, tests and calls behind an expression.
func (p *parser) filters(e expr) expr {
	for {
		switch t := p.cur(); {
		case t.kind == "|":
			p.next()
			e = p.filter(e)
		case t.kind == "name" && t.text == "is":
			e = p.test(e)
		case t.kind == "(":
			e = &callExpr{line: t.line, of: e, args: p.arguments()}
		default:
			return e
		}
	}
}

func (p *parser) dotted() string {
	name := p.expect("name").text
	for p.skip(".") {
		name += "." + p.expect("name").text
	}
	return name
}

// filter reads one filter, behind its bar. A nil of is the body of a block.
func (p *parser) filter(of expr) expr {
	f := &filterExpr{line: p.cur().line, of: of, name: p.dotted()}
	if p.cur().kind == "(" {
		f.args = p.arguments()
	}
	if !p.soft && findFilter(f.name) == nil {
		p.unknown = append(p.unknown, func() { failFilter(f.line, kindAssertion, f.name) })
	}
	return f
}

func (p *parser) test(of expr) expr {
	t := &testExpr{line: p.next().line, of: of}
	negated := p.skipName("not")
	t.name = p.dotted()
	switch k := p.cur().kind; {
	case k == "(":
		t.args = p.arguments()
	case p.isName("is"):
		p.fail("You cannot chain multiple tests with is")
	case slices.Contains([]string{"name", "string", "integer", "float", "[", "{"}, k) && !p.isName("else", "or", "and"):
		t.args.pos = []expr{p.postfix(p.primary())}
	}
	if !p.soft && tests[t.name] == nil {
		p.unknown = append(p.unknown, func() { failAt(t.line, kindAssertion, "No test named %s.", reprText(t.name)) })
	}
	if negated {
		return &notExpr{t}
	}
	return t
}
