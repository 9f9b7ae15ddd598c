package jinja

import "slices"

// parse reads a whole program.
func (p *parser) parse() *Template {
	p.blocks = map[string]*blockStmt{}
	body, _ := p.body()
	if len(p.unknown) > 0 {
		p.unknown[0]()
	}
	return &Template{body: body, blocks: p.blocks}
}

// body reads statements up to one of the tags in ends, whose name it consumes
// and returns. Without ends it reads to the end of the program.
func (p *parser) body(ends ...string) (body []stmt, tag string) {
	defer p.nest()()
	for {
		t := p.next()
		switch t.kind {
		case "data":
			body = append(body, &dataStmt{Literal(t.text)})
		case "{{":
			e := p.tuple(true, false)
			p.expect("}}")
			body = append(body, &outputStmt{t.line, []expr{e}})
		case "{%":
			if p.isName(ends...) {
				return body, p.next().text
			}
			body = append(body, p.statement())
			p.expect("%}")
		case end:
			if len(ends) > 0 {
				p.fail("Unexpected end of template. Jinja was looking for the following tags: '%s'.", ends[len(ends)-1])
			}
			return body, ""
		default:
			p.fail("unexpected '%s'", t.describe())
		}
	}
}

// inner is block for a body with a scope of its own, where unknown filters fail
// at once even inside an if.
func (p *parser) inner(ends ...string) (body []stmt, tag string) {
	soft := p.soft
	p.soft = false
	defer func() { p.soft = soft }()
	return p.block(ends...)
}

// block reads the statements between two tags. Behind the last tag's name
// nothing was read yet.
func (p *parser) block(ends ...string) (body []stmt, tag string) {
	p.skip(":")
	p.expect("%}")
	return p.body(ends...)
}

func (p *parser) statement() stmt {
	t := p.expect("name")
	switch t.text {
	case "for":
		return p.forLoop(t.line)
	case "if":
		soft := p.soft
		p.soft = true
		defer func() { p.soft = soft }()
		return p.ifElse(t.line)
	}
	switch t.text {
	case "set":
		return p.set(t.line)
	case "print":
		s := &outputStmt{line: t.line}
		for p.cur().kind != "%}" {
			if len(s.parts) > 0 {
				p.expect(",")
			}
			s.parts = append(s.parts, p.expression())
		}
		return s
	case "macro":
		name := p.expect("name").text
		p.assignable(name)
		m := &macroNode{line: t.line, name: name}
		p.signature(m)
		p.macroBody(m, "endmacro")
		return &macroStmt{m}
	case "call":
		m := &macroNode{line: t.line, name: "caller"}
		if p.cur().kind == "(" {
			p.signature(m)
		}
		c, ok := p.expression().(*callExpr)
		if !ok {
			p.fail("expected call")
		}
		p.macroBody(m, "endcall")
		return &callStmt{c, m}
	case "generation":
		m := &macroNode{line: t.line, name: "caller"}
		p.macroBody(m, "endgeneration")
		return &callStmt{nil, m}
	case "filter":
		f := p.filterChain(nil)
		body, _ := p.inner("endfilter")
		return &filterStmt{t.line, f, body}
	case "with":
		s := &withStmt{line: t.line}
		for p.cur().kind != "%}" {
			if len(s.targets) > 0 {
				p.expect(",")
			}
			s.targets = append(s.targets, p.target(false))
			p.expect("=")
			s.values = append(s.values, p.expression())
		}
		s.body, _ = p.inner("endwith")
		return s
	case "block":
		return p.namedBlock(t.line)
	case "break", "continue":
		if p.loops == 0 {
			failAt(t.line, kindSyntax, "'%s' outside loop", t.text)
		}
		if t.text == "break" {
			return &jumpStmt{stop}
		}
		return &jumpStmt{again}
	case "extends", "include", "import", "from":
		p.at = p.skipTo("%}")
		return &raiseStmt{t.line, kindType, "no loader for this environment specified"}
	case "autoescape":
		failAt(t.line, kindMissing, "the tag autoescape is not implemented")
	}
	failAt(t.line, kindSyntax, "Encountered unknown tag '%s'.", t.text)
	return nil
}

func (p *parser) skipTo(kind string) int {
	at := p.at
	for p.tokens[at].kind != kind && at < len(p.tokens)-1 {
		at++
	}
	return at
}

// filterChain reads filters up to the end of a tag; of is what they act on.
func (p *parser) filterChain(of expr) expr {
	f := p.filter(of)
	for p.skip("|") {
		f = p.filter(f)
	}
	return f
}

func (p *parser) forLoop(line int) stmt {
	s := &forStmt{line: line, target: p.target(false, "in")}
	if n, ok := s.target.(*nameTarget); ok && n.name == "loop" {
		failAt(line, kindSyntax, "Can't assign to special loop variable in for-loop target")
	}
	p.expectName("in")
	s.over = p.tuple(false, false, "recursive")
	if p.skipName("if") {
		soft := p.soft
		p.soft = false
		s.test = p.expression()
		p.soft = soft
	}
	s.recursive = p.skipName("recursive")
	p.loops++
	var tag string
	s.body, tag = p.inner("else", "endfor")
	p.loops--
	if tag == "else" {
		s.otherwise, _ = p.inner("endfor")
	}
	return s
}

func (p *parser) ifElse(line int) stmt {
	s := &ifStmt{line: line}
	for {
		s.tests = append(s.tests, p.tuple(false, false))
		body, tag := p.block("elif", "else", "endif")
		s.bodies = append(s.bodies, body)
		if tag == "else" {
			s.otherwise, tag = p.block("endif")
		}
		if tag == "endif" {
			return s
		}
	}
}

func (p *parser) set(line int) stmt {
	target := p.target(true)
	if p.skip("=") {
		return &setStmt{line, target, p.tuple(true, false)}
	}
	s := &setBlockStmt{line: line, target: target}
	if p.skip("|") {
		s.filter = p.filterChain(nil)
	}
	s.body, _ = p.inner("endset")
	return s
}

// assignable fails if a name cannot be given a value.
func (p *parser) assignable(name string) {
	switch name {
	case "true", "false", "none", "True", "False", "None":
		p.fail("can't assign to '%s'", name)
	}
}

// target reads what is assigned to: a name, an attribute of a namespace, or a
// tuple of them.
func (p *parser) target(attributes bool, stop ...string) target {
	defer p.nest()()
	one := func() target {
		if p.skip("(") {
			t := p.target(attributes)
			p.expect(")")
			return t
		}
		t := p.expect("name")
		p.assignable(t.text)
		if attributes && p.skip(".") {
			p.reads(t.text)
			return &attrTarget{t.line, t.text, p.expect("name").text}
		}
		return &nameTarget{t.text}
	}
	first := one()
	if p.cur().kind != "," {
		return first
	}
	all := &tupleTarget{line: p.cur().line, targets: []target{first}}
	for p.skip(",") {
		if p.tupleEnds(stop) || p.cur().kind == "=" {
			break
		}
		all.targets = append(all.targets, one())
	}
	return all
}

func (p *parser) signature(m *macroNode) {
	p.expect("(")
	for p.cur().kind != ")" {
		if len(m.params) > 0 {
			p.expect(",")
		}
		name := p.expect("name").text
		p.assignable(name)
		m.params = append(m.params, name)
		if p.skip("=") {
			m.defaults = append(m.defaults, p.expression())
		} else if len(m.defaults) > 0 {
			p.fail("non-default argument follows default argument")
		}
	}
	p.expect(")")
}

// macroBody reads the body of a macro, and which special names it reads.
func (p *parser) macroBody(m *macroNode, endTag string) {
	outer, loops := p.special, p.loops
	p.special, p.loops = &m.reads, 0
	m.body, _ = p.inner(endTag)
	p.special, p.loops = outer, loops
	if i := slices.Index(m.params, "caller"); m.reads.caller && i >= 0 && i < len(m.params)-len(m.defaults) {
		failAt(m.line, kindAssertion, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
	}
	if outer != nil { // a body inside a body belongs to it
		outer.caller = outer.caller || m.reads.caller
		outer.kwargs = outer.kwargs || m.reads.kwargs
		outer.varargs = outer.varargs || m.reads.varargs
	}
}

func (p *parser) namedBlock(line int) stmt {
	b := &blockStmt{line: line, name: p.expect("name").text}
	if p.blocks[b.name] != nil {
		failAt(line, kindAssertion, "block %s defined twice", reprText(b.name))
	}
	p.blocks[b.name] = b
	b.scoped = p.skipName("scoped")
	loops := p.loops
	p.loops = 0
	b.body, _ = p.inner("endblock")
	p.loops = loops
	p.skipName(b.name)
	return b
}
