package serve_test

import (
	"context"
	"log"
	"net/http"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/serve"
)

// A model answers requests by HTTP, with the norms that their name of the model
// asks for: "tiny", "tiny:rms-naive".
func Example() {
	ctx := context.Background()
	m, err := engine.Open(ctx, "tiny.gguf", engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := serve.New(serve.Options{Name: "tiny", Model: m, Variant: func(ctx context.Context, norm engine.NormMode) (*engine.Model, error) {
		return m.Variant(ctx, engine.Options{Norm: norm})
	}})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", s))
}
