// Package jinja runs Jinja2 programs of the kind that models carry as chat
// templates, as Jinja2 3.1 does in its ImmutableSandboxedEnvironment with
// trim_blocks and lstrip_blocks (what Hugging Face transformers uses): the
// same text, or an error where Jinja2 raises one.
//
// A program comes from a stranger. It reads nothing but the values that it is
// given, it changes nothing, and the constants below bound the time and the
// memory that it takes.
//
// Every character of a string remembers whether it comes from content, which
// a stranger may have written too, or from the program. The text of a program
// is therefore a list of pieces of either kind.
package jinja

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The bounds. The largest published templates stay below a thousandth of each.
const (
	// MaxSource is the length of a program in bytes. Published ones have at
	// most 20 KB, and a syntax tree takes about a hundred times that.
	MaxSource = 1 << 20
	// MaxSteps is how many nodes of the syntax tree a program evaluates, loops
	// included. Work on strings and lists counts too: a step for every 16
	// characters or for every item. It takes a few seconds at most.
	MaxSteps = 10_000_000
	// MaxChars is how many characters all strings together have that a program
	// makes, 4 bytes each; an item of a list counts as 16. Strings that it is
	// given, and parts of them, do not count.
	MaxChars = 64 << 20
	// MaxText is the length in characters of one string, and of the text that
	// a program gives: more than the longest context takes.
	MaxText = 16 << 20
	// MaxDepth is how deep evaluations nest: recursion of macros, nested
	// expressions and nested values. A level takes up to 1 KB of stack.
	MaxDepth = 5000
	// maxNesting is how deep the source nests blocks and parentheses.
	maxNesting = 200
	// maxRange is Jinja2's own bound on a range.
	maxRange = 100_000
)

// ErrLimit is matched by the error of a program that exceeds a bound.
var ErrLimit = errors.New("the template exceeds a bound")

// An Error is what a program raises.
type Error struct {
	Line int    // of the program, from 1
	Kind string // Python's name of the exception, or "limit"
	Msg  string
}

func (e *Error) Error() string {
	if e.Kind == kindRaised || e.Kind == kindLimit {
		return fmt.Sprintf("jinja: line %d: %s", e.Line, e.Msg)
	}
	return fmt.Sprintf("jinja: line %d: %s: %s", e.Line, e.Kind, e.Msg)
}

// Is makes errors.Is(err, ErrLimit) true for bounds.
func (e *Error) Is(target error) bool { return target == ErrLimit && e.Kind == kindLimit }

const (
	kindSyntax    = "TemplateSyntaxError"
	kindAssertion = "TemplateAssertionError"
	kindRuntime   = "TemplateRuntimeError"
	kindUndefined = "UndefinedError"
	kindSecurity  = "SecurityError"
	kindType      = "TypeError"
	kindValue     = "ValueError"
	kindOverflow  = "OverflowError"
	kindZero      = "ZeroDivisionError"
	kindArgument  = "FilterArgumentError"
	kindRaised    = "TemplateError" // raise_exception: the message alone
	kindLimit     = "limit"
	kindMissing   = "not implemented"
)

// A Piece is a part of a text: characters of the program, or of content.
type Piece struct {
	Text    string
	Content bool
}

// A Template is a program that was parsed. It does not change and is safe for
// concurrent use.
type Template struct {
	body   []stmt
	blocks map[string]*blockStmt
}

// Parse reads a program.
func Parse(source string) (t *Template, err error) {
	if len(source) > MaxSource {
		return nil, &Error{1, kindLimit, fmt.Sprintf("the template has %d bytes, the limit is %d", len(source), MaxSource)}
	}
	defer catch(&err)
	p := &parser{tokens: lex(source)}
	return p.parse(), nil
}

// Render runs the program with the variables vars, until ctx is cancelled. The
// function strftime_now gives the time now.
func (t *Template) Render(ctx context.Context, vars *Dict, now time.Time) (pieces []Piece, err error) {
	in := &interp{ctx: ctx, template: t, now: now, line: 1}
	defer catch(&err)
	root := &scope{parent: &scope{}}
	for i, key := range vars.keys {
		if name, ok := key.(Str); ok {
			root.parent.set(name.String(), vars.vals[i])
		}
	}
	in.root = root
	in.execAll(t.body, root)
	return split(in.out.c), nil
}

// split cuts characters into pieces.
func split(c []rune) (pieces []Piece) {
	for start := 0; start < len(c); {
		end := start + 1
		for end < len(c) && (c[end]^c[start])&fromContent == 0 {
			end++
		}
		pieces = append(pieces, Piece{Str{c: c[start:end]}.String(), c[start]&fromContent != 0})
		start = end
	}
	return pieces
}

// raised carries an error through the evaluation, up to catch.
type raised struct{ err error }

func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case raised:
		*err = r.err
	default:
		panic(r)
	}
}

func failAt(line int, kind, format string, args ...any) {
	panic(raised{&Error{line, kind, fmt.Sprintf(format, args...)}})
}
