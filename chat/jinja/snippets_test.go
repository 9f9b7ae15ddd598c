package jinja

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// now is the time that the expected texts have.
var now = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

func renderText(t *testing.T, source string, vars *Dict) (string, error) {
	t.Helper()
	tmpl, err := Parse(source)
	if err != nil {
		return "", err
	}
	pieces, err := tmpl.Render(context.Background(), vars, now)
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String(), err
}

// refused are programs that Jinja2 runs and that are refused by name here.
var refused = map[string]bool{"{{ s.istitle() }}": true, "{{ s.encode() }}": true, "{{ s.casefold() }}": true, "{{ s.expandtabs() }}": true,
	"{{ '{!a}'.format('é') }}": true, "{{ s|wordwrap(5) }}": true, "{{ self is defined }}": true,
	"{% autoescape false %}{{ html }}{% endautoescape %}": true}

// TestSnippets runs small programs and compares with what Jinja2 made of them
// (tests/jinja).
func TestSnippets(t *testing.T) {
	b, err := os.ReadFile("testdata/snippets.json")
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Variables json.RawMessage
		Cases     []struct {
			Template    string
			Text, Error *string
		}
	}
	if err := json.Unmarshal(b, &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Cases) < 1000 {
		t.Fatalf("only %d programs", len(data.Cases))
	}
	vars, err := ParseJSON(data.Variables)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range data.Cases {
		got, err := renderText(t, c.Template, vars.(*Dict))
		switch {
		case c.Error != nil && err == nil:
			t.Errorf("%s\n gave %q, want %s", c.Template, got, *c.Error)
		case c.Text != nil && err != nil && refused[c.Template]:
		case c.Text != nil && err != nil:
			t.Errorf("%s\n %v, want %q", c.Template, err, *c.Text)
		case c.Text != nil && got != *c.Text:
			t.Errorf("%s\n gave %q\n want %q", c.Template, got, *c.Text)
		}
	}
}
