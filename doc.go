// Package normswap runs language models in GGUF files on the CPU and swaps their
// norms: a model trained with LayerNorm runs with RMSNorm and computes the same
// function, because the removal of the mean is folded into its weights.
//
// There is nothing to call here. A program that runs a model so
//
//	m, err := engine.Open(ctx, "model.gguf", engine.Options{Norm: engine.RMSFolded})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer m.Close()
//	s, err := m.NewSession(engine.SessionOptions{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	logits, err := s.Eval(ctx, []int32{3, 8, 13}) // ids of tokens
//
// The command is [github.com/normswap/normswap/cmd/infer]; for programs of your own
// begin with
//
//   - [github.com/normswap/normswap/ops]: norms, products and attention on slices
//   - [github.com/normswap/normswap/engine]: models and sessions, hooks, norms of your own
//   - [github.com/normswap/normswap/fold]: what a fold changes, and folded files
//   - [github.com/normswap/normswap/gguf], quant and tokenizer: files, their types, their vocabularies
//   - [github.com/normswap/normswap/geometry]: what norms do to hidden vectors
//   - [github.com/normswap/normswap/corpus]: texts of any size, in windows, shared among processes
package normswap
