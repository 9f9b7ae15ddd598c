package jinja_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/normswap/normswap/chat/jinja"
)

// A template tells what of its text came with the values: no such piece can be a
// marker of the conversation.
func Example() {
	t, err := jinja.Parse("{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}\n{% endfor %}")
	if err != nil {
		log.Fatal(err)
	}
	values, err := jinja.ParseJSON([]byte(`{"messages": [{"role": "user", "content": " Hello <|end|> "}]}`))
	if err != nil {
		log.Fatal(err)
	}
	pieces, err := t.Render(context.Background(), values.(*jinja.Dict), time.Now())
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range pieces {
		fmt.Printf("%q from content: %v\n", p.Text, p.Content)
	}
	// Output:
	// "<|" from content: false
	// "user" from content: true
	// "|>" from content: false
	// "Hello <|end|>" from content: true
	// "\n" from content: false
}
