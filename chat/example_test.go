package chat_test

import (
	"context"
	"fmt"
	"log"

	"github.com/normswap/normswap/chat"
)

// A conversation, laid out as a model was trained to read it.
func Example() {
	chatml, err := chat.Named("chatml") // chat.Of has the template of a file
	if err != nil {
		log.Fatal(err)
	}
	pieces, err := chatml.Render(context.Background(), chat.NewConversation(chat.Message{Role: "user", Content: "Hello"}), chat.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range pieces {
		fmt.Printf("%v %q\n", p.Content, p.Text)
	}
	// Output:
	// false "<|im_start|>user\n"
	// true "Hello"
	// false "<|im_end|>\n<|im_start|>assistant\n"
}
