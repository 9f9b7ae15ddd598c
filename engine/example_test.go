package engine_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/tokenizer"
)

const stories = "../tests/testdata/trained/stories260K-F32.gguf"

// tell continues a text, greedily.
func tell(m *engine.Model, text string, tokens int) string {
	tok, err := m.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var out strings.Builder
	words := tok.NewDecoder()
	for id, err := range s.Generate(context.Background(), prompt, engine.GenerateOptions{Max: tokens}) {
		if err != nil {
			log.Fatal(err) // a cancelled context, or a logit that is not finite
		}
		out.WriteString(words.Push(id))
	}
	return out.String() + words.Flush()
}

// Open a model and continue a text.
func Example() {
	m, err := engine.Open(context.Background(), stories, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Println(tell(m, "Once upon a time", 9))
	// Output:
	// , there was a little girl named
}

// Logits of a timeline of tokens; what two timelines share is evaluated once.
func ExampleSession() {
	m, err := engine.Open(context.Background(), stories, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{Context: 64})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	logits, err := s.Eval(ctx, []int32{1, 403, 407, 261})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(logits), "logits after", s.Len(), "tokens")
	_, kept, err := s.Sync(ctx, []int32{1, 403, 407, 378})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(kept, "tokens kept")
	// Output:
	// 512 logits after 4 tokens
	// 3 tokens kept
}

// dyt is Dynamic Tanh (Zhu et al. 2025, arXiv 2503.10622): gain*tanh(alpha*x),
// with nothing measured on x.
type dyt struct {
	alpha float64
	gain  []float32
}

func (n dyt) Apply(dst, x []float32) {
	for i, v := range x {
		dst[i] = n.gain[i] * float32(math.Tanh(n.alpha*float64(v)))
	}
}

// Put another norm in the place of the last one: any type with an Apply will
// do, and the modes of [Options] are made in the same way.
func ExampleNormReplacer() {
	m, err := engine.Open(context.Background(), stories, engine.Options{
		ReplaceNorm: func(site *arch.Norm, native *ops.Norm) engine.Norm {
			if site.Site != "output_norm" {
				return native
			}
			return dyt{alpha: 0.5, gain: native.Gain}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Println(tell(m, "Once upon a time", 9))
	// Output:
	// , there was a little boy named
}

// What a norm reads, for each token of a prompt.
func ExampleTap() {
	m, err := engine.Open(context.Background(), stories, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{Tap: &engine.Tap{
		Sites: func(n *arch.Norm) bool { return n.Site == "output_norm" },
		Func: func(h engine.Hidden) {
			if h.Stage == engine.In {
				fmt.Println(h.Site.Site, "reads", len(h.Rows)/h.Site.Width, "vectors of", h.Site.Width)
			}
		},
	}})
	if err == nil {
		err = s.Append(context.Background(), []int32{1, 403, 407})
	}
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// output_norm reads 3 vectors of 64
}
