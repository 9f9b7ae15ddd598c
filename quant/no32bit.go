//go:build 386 || arm || mips || mipsle

package quant

// Models exceed an address space of 32 bits, and their sizes are int
// everywhere: a 32-bit build would be silently wrong, so there is none.
var _ = normswap_needs_a_64_bit_processor
