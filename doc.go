// Package normswap runs language models in GGUF files on the CPU and swaps their
// norms: a model trained with LayerNorm runs with RMSNorm and computes the same
// function, because the removal of the mean is folded into its weights.
//
// There is nothing to call here. The command is
// [github.com/normswap/normswap/cmd/infer]; for programs of your own begin with
//
//   - [github.com/normswap/normswap/ops]: norms, products and attention on slices
//   - [github.com/normswap/normswap/engine]: models and sessions, hooks, norms of your own
//   - [github.com/normswap/normswap/fold]: what a fold changes, and folded files
//   - [github.com/normswap/normswap/gguf], quant and tokenizer: files, their types, their vocabularies
//   - [github.com/normswap/normswap/geometry]: what norms do to hidden vectors
package normswap
