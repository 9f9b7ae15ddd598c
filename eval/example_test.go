package eval_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/ops"
)

// Is a fold exact, and what does leaving the mean out cost?
func Example() {
	// Activations that are rounded to 8 bits would be taken for an effect of the norm.
	options := engine.Options{FloatActivations: true}
	native, err := engine.Open(context.Background(), "../tests/testdata/archs/gpt2.gguf", options)
	if err != nil {
		log.Fatal(err)
	}
	defer native.Close()
	models, names := []*engine.Model{native}, []string{"native"}
	for _, mode := range []engine.NormMode{engine.RMSFolded, engine.RMSNaive} {
		options.Norm = mode
		m, err := native.Variant(context.Background(), options)
		if err != nil {
			log.Fatal(err)
		}
		defer m.Close()
		models, names = append(models, m), append(names, string(mode))
	}
	ids, _, err := eval.Text(context.Background(), native, "", 64) // random ids: the model has no vocabulary
	if err != nil {
		log.Fatal(err)
	}
	report, err := eval.Run(context.Background(), models, names, ids, eval.Options{Context: 32})
	if errors.Is(err, eval.ErrShort) {
		log.Fatal("a longer text, please")
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Norms[1:] {
		fmt.Printf("%s: always the same most likely token: %t; KL below 1e-6: %t\n", f.Norm, f.TopAgreement == 1, f.KLMean < 1e-6)
	}
	// Output:
	// rms-folded: always the same most likely token: true; KL below 1e-6: true
	// rms-naive: always the same most likely token: false; KL below 1e-6: false
}

// clipped is a norm of one's own: RMSNorm of values that are cut at a bound.
type clipped struct {
	*ops.Norm
	most float32
}

func (c clipped) Apply(dst, x []float32) {
	for i, v := range x {
		dst[i] = min(max(v, -c.most), c.most)
	}
	ops.RMSNorm(dst, dst, c.Gain, c.Bias, c.Eps)
}

// What does a norm of one's own cost?
func ExampleRun_ownNorm() {
	ctx := context.Background()
	options := engine.Options{FloatActivations: true}
	native, err := engine.Open(ctx, "../tests/testdata/archs/gpt2.gguf", options)
	if err != nil {
		log.Fatal(err)
	}
	defer native.Close()
	options.ReplaceNorm = func(site *arch.Norm, n *ops.Norm) engine.Norm {
		if site.Role != arch.LN1 {
			return n
		}
		return clipped{n, 3}
	}
	own, err := native.Variant(ctx, options)
	if err != nil {
		log.Fatal(err)
	}
	defer own.Close()
	ids, _, err := eval.Text(ctx, native, "", 256) // random ids: the model has no vocabulary
	if err != nil {
		log.Fatal(err)
	}
	report, err := eval.Run(ctx, []*engine.Model{native, own}, []string{"native", "clipped"}, ids, eval.Options{Context: 32})
	if err != nil {
		log.Fatal(err)
	}
	f := report.Norms[1]
	fmt.Printf("%s: a mean KL above 0: %t; its standard error is known: %t\n", f.Norm, f.KLMean > 0, f.KLSE > 0)
	// Output:
	// clipped: a mean KL above 0: true; its standard error is known: true
}
