package llamacpp_test

import (
	"context"
	"fmt"

	"github.com/normswap/normswap/plugin/llamacpp"
)

// It compiles, and does not run without a model and llama.cpp's libraries.
func Example() {
	err := func(ctx context.Context) error {
		lib, err := llamacpp.Load("/usr/lib/llama.cpp")
		if err != nil {
			return err
		}
		m, err := lib.Open("model.gguf", llamacpp.Options{GPULayers: -1})
		if err != nil {
			return err
		}
		defer m.Close()
		hook, err := m.Swap("ln1=rms-naive")
		if err != nil {
			return err
		}
		hook.Tap = func(v llamacpp.Vectors) { fmt.Println(v.Site.Name, v.Pos, len(v.In)) }
		tokens, err := m.Tokenize("Once upon a time")
		if err != nil {
			return err
		}
		_, err = m.Eval(ctx, tokens, hook) // the logits of every token
		return err
	}
	_ = err
}
