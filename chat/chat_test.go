package chat_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/chat/jinja"
)

// now is the time that the reference texts have.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// variables makes a conversation with one more variable.
func variables(t *testing.T, key string, value any, messages ...chat.Message) *chat.Conversation {
	t.Helper()
	turns := []map[string]string{}
	for _, m := range messages {
		turns = append(turns, map[string]string{"role": m.Role, "content": m.Content})
	}
	b, err := json.Marshal(map[string]any{"messages": turns, key: value})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, b)
}

func parse(t *testing.T, data []byte) *chat.Conversation {
	t.Helper()
	c, err := chat.ParseConversation(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rendered(t *testing.T, tmpl *chat.Template, c *chat.Conversation) string {
	t.Helper()
	pieces, err := tmpl.Render(context.Background(), c, chat.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return chat.Text(pieces)
}

// reference is what Jinja2 makes of published templates (testdata/README.md).
type reference struct {
	Templates     map[string]string
	Conversations map[string]json.RawMessage
	Expected      map[string]map[string]struct{ Text, Error *string }
}

func readReference(t testing.TB) (r reference) {
	t.Helper()
	f, err := os.Open("testdata/reference.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// withTokens are the conversation and the tokens that the reference texts have.
func withTokens(raw json.RawMessage) []byte {
	return []byte(strings.Replace(string(raw), "{", `{"bos_token": "<BOS>", "eos_token": "<EOS>", `, 1))
}

// TestReference reproduces every text, and fails where Jinja2 does.
func TestReference(t *testing.T) {
	r := readReference(t)
	texts, failed := 0, 0
	for name, source := range r.Templates {
		tmpl, err := chat.Parse(source)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for conv, want := range r.Expected[name] {
			pieces, err := tmpl.Render(context.Background(), parse(t, withTokens(r.Conversations[conv])), chat.Options{Now: now})
			switch {
			case want.Error != nil && (err == nil || !strings.Contains(err.Error(), *want.Error)):
				t.Errorf("%s, %s: %v, want the error %s", name, conv, err, *want.Error)
			case want.Error != nil:
				failed++
			case err != nil:
				t.Errorf("%s, %s: %v", name, conv, err)
			case chat.Text(pieces) != *want.Text:
				t.Errorf("%s, %s:\n got %q\nwant %q", name, conv, chat.Text(pieces), *want.Text)
			default:
				texts++
			}
		}
	}
	if texts != 366 || failed != 14 {
		t.Errorf("%d texts and %d errors, want 366 and 14", texts, failed)
	}
}

func TestParseConversationErrors(t *testing.T) {
	for data, want := range map[string]string{
		`[]`:                        "no JSON object",
		`{}`:                        `no "messages"`,
		`{"messages": 1}`:           "is no list",
		`{"messages": [1]}`:         "messages[0]",
		`{"messages": []`:           "ends in the middle",
		``:                          "ends in the middle",
		`{"messages": []} x`:        "behind the value",
		`{"messages": [], "x": 1e}`: "no valid JSON",
		`{"messages": [], "x": 9223372036854775808}`: "64 bits",
		"{\"messages\": [], \"x\": \"\xff\"}":        "UTF-8",
		`{"messages": [], "x": "\ud800"}`:            "surrogate",
		`{"messages": ` + strings.Repeat("[", 1000):  "deeper",
	} {
		if _, err := chat.ParseConversation([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", data, err, want)
		}
	}
	for _, data := range []string{`{"messages": [], "x": "\ud83d\ude42 \ufffd �"}`, `{"messages": [], "x": -9223372036854775808}`} {
		if _, err := chat.ParseConversation([]byte(data)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// TestBounds runs programs that never end or take all memory.
func TestBounds(t *testing.T) {
	for _, source := range []string{
		"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
		"{{ 'a' * 10000000000 }}",
		"{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}",
		"{% set ns = namespace(x='a') %}{% for i in range(100000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
		"{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}",
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
		"{{ '%1000000000d' % 1 }}", "{{ '{:1000000000}'.format(1) }}", "{{ '%.1000000000f' % 1.0 }}", "{{ 'a'.center(1000000000) }}",
		"{{ 'a' | indent(10000000000) }}", "{{ [1] * 10000000000 }}", "{{ [1]|batch(1000000000, 0)|list }}",
		"{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}", "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
		"{{ ('a' * 1000000 ~ 'b').split('a' * 100000 ~ 'c') }}{{ ('a' * 10000000).count('a' * 5000000 ~ 'b') }}",
		"{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s }}{% endfor %}",
		"{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% set x = s|upper %}{% endfor %}",
		strings.Repeat("{% if true %}", 100000), strings.Repeat("{{ (", 1) + strings.Repeat("(", 100000),
		"{{ " + strings.Repeat("-", 100000) + "1 }}", "{{ " + strings.Repeat("not ", 100000) + "1 }}",
		"{{ 1" + strings.Repeat("+1", 100000) + " }}", "{{ x" + strings.Repeat(".a", 100000) + " }}", "{{ 1" + strings.Repeat("|abs", 100000) + " }}",
		"{{ 1" + strings.Repeat(" if 1 else 1", 100000) + " }}", "{{ 1 and" + strings.Repeat(" 1 and", 100000) + " 1 }}",
		strings.Repeat(" ", jinja.MaxSource+1),
	} {
		begin := time.Now()
		tmpl, err := chat.Parse(source)
		if err == nil {
			_, err = tmpl.Render(context.Background(), chat.NewConversation(), chat.Options{})
		}
		if !errors.Is(err, jinja.ErrLimit) {
			t.Errorf("%.60s: %.200v, want a bound", source, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v is more than a line", source, err)
		}
		t.Logf("%.2fs %.60s: %.100v", time.Since(begin).Seconds(), source, err)
	}
}

func TestCancel(t *testing.T) {
	tmpl, err := chat.Parse("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tmpl.Render(ctx, chat.NewConversation(), chat.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}
