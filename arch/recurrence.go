package arch

import (
	"fmt"

	"github.com/normswap/normswap/gguf"
)

// Recurrence is what stands in place of attention in layers without heads for keys. It
// keeps a state of all tokens before, of the same size however many these are.
type Recurrence uint8

const (
	NoRecurrence Recurrence = iota
	// ShortConv is the gated short convolution of LFM2 (Liquid AI 2025): with (b, c, x) =
	// In y and conv the causal convolution along the sequence of each channel apart,
	//
	//	O (c * conv(b * x))
	ShortConv
	// Mamba is the selective state space of PLaMo 2, a form of Mamba-2 (Dao and Gu 2024,
	// arXiv 2405.21060): with (z, x) = In y, interleaved head by head, u = SiLU(conv(x)),
	// (B, C, d) = the norms of the parts of ScanIn u, and for each head the step
	// t = softplus(Step d),
	//
	//	S = S exp(t A) + (t u) B';  O (SiLU(z) * (S C + D u))
	//
	// S has for each element of the inner vector ScanState numbers, and A and D are one
	// number a head.
	Mamba
)

func (r Recurrence) String() string { return [...]string{"none", "short convolution", "Mamba"}[r] }

// Bounds of what the metadata may ask for.
const (
	maxTaps  = 1 << 8
	minSteps = 64 // width of what the steps of Mamba are made of, at least
)

// recurrence reads the widths of layers that have no attention.
func (r *reader) recurrence(h *Hyper) {
	switch r.spec.Recurrence {
	case ShortConv:
		h.ConvTaps = r.taps(keyShortConv)
		h.Inner = h.Dim
	case Mamba:
		h.ConvTaps = r.taps(keyConvTaps)
		h.Inner = r.positive(keyInner, need[int](r, keyInner), maxWidth)
		h.ScanState = r.positive(keyScanState, need[int](r, keyScanState), maxHead)
		h.ScanHeads = r.positive(keyScanHeads, need[int](r, keyScanHeads), maxHeads)
		h.StepWidth = max(minSteps, h.Dim/16)
		if groups := need[int](r, keyScanGroups); groups != 0 {
			r.fail(fmt.Errorf("%s is %d, want 0: groups of states are not implemented", r.key(keyScanGroups), groups))
		}
		if r.err == nil && h.Inner%h.ScanHeads != 0 {
			r.fail(fmt.Errorf("%s is %d, which %s %d does not divide", r.key(keyInner), h.Inner, r.key(keyScanHeads), h.ScanHeads))
		}
	}
}

func (r *reader) taps(key string) int {
	n := r.positive(key, need[int](r, key), maxTaps)
	if r.err == nil && n < 2 {
		r.fail(fmt.Errorf("%s is %d, want 2 to %d", r.key(key), n, maxTaps))
	}
	return n
}

// recurrence binds the matrices of a layer without attention, and the norms among them.
func (b *binder) recurrence(i int, h *Hyper, l *Block) {
	linear := func(role Role, name string, bias Presence, in, out int) Linear {
		return b.linear(role, block(i, name), Required, bias, in, out)
	}
	switch b.spec.Recurrence {
	case ShortConv:
		l.In = linear(In, nameShortConv+"in_proj", Absent, h.Dim, 3*h.Dim)
		l.Conv = b.tensor(WeightName(block(i, nameShortConv+"conv")), Required, h.ConvTaps, h.Dim)
		l.O = linear(O, nameShortConv+"out_proj", Absent, h.Dim, h.Dim)
	case Mamba:
		vector := func(name string) *gguf.Tensor { return b.tensor(block(i, name), Required, h.ScanHeads) }
		norm := func(name string, width int) *Norm {
			return b.norm(OnQueryKey, i, NormSpec{Name: name, Gain: Required, NoSuffix: true}, width)
		}
		l.In = linear(In, "ssm_in", Absent, h.Dim, 2*h.Inner)
		l.Conv = b.tensor(WeightName(block(i, "ssm_conv1d")), Required, h.ConvTaps, h.Inner)
		l.ScanIn = linear(ScanIn, "ssm_x", Absent, h.Inner, 2*h.ScanState+h.StepWidth)
		l.BNorm, l.CNorm, l.StepNorm = norm("ssm_b_norm", h.ScanState), norm("ssm_c_norm", h.ScanState), norm("ssm_dt_norm", h.StepWidth)
		l.Step = linear(Step, "ssm_dt", Required, h.StepWidth, h.ScanHeads)
		l.A, l.D = vector("ssm_a"), vector("ssm_d")
		l.O = linear(O, "ssm_out", Absent, h.Inner, h.Dim)
	}
}

// Recurrent reports whether a layer keeps a state in place of keys and values.
func (l *Block) Recurrent() bool { return l.Conv != nil }
