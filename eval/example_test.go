package eval_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
)

// Is a fold exact, and what does leaving the mean out cost?
func Example() {
	native, err := engine.Open(context.Background(), "../tests/testdata/archs/gpt2.gguf", engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer native.Close()
	models, names := []*engine.Model{native}, []string{"native"}
	for _, mode := range []engine.NormMode{engine.RMSFolded, engine.RMSNaive} {
		m, err := native.Variant(context.Background(), engine.Options{Norm: mode})
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
