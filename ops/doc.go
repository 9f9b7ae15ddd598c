// Package ops has the operations of a transformer on slices and on stored
// matrices: norms, matrix products, RoPE, attention, activations, softmax.
//
// The norms are where to begin. [LayerNorm], [RMSNorm] and the type [Norm] take
// one row, need nothing set up, allocate nothing, and run on the best
// instruction set of the machine; [Mean] and [SumSquares] are their statistics.
//
// For more than a row at a time make a [Pool], the threads that compute:
// [Pool.Norm] spreads rows over them, [Pool.MatMul] multiplies an [Input] of rows
// with a [Matrix], which is a view of weights as a GGUF file stores them, in any
// type of package github.com/normswap/normswap/quant. A [KV] caches keys and values for [Pool.Attention].
//
// The destination comes first, but for what a pool or an activation is passed to,
// and may be the source where the comment says so. Slices of the wrong length are a mistake in the program: they
// panic on the goroutine of the caller, with both numbers. Nothing here changes
// with the number of threads, to the last bit.
package ops
