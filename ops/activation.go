package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
)

// An Activation is the elementwise function of a feed-forward block.
type Activation uint8

// The activations. Phi is the normal distribution function.
const (
	GELU    Activation = asm.GELU    // the tanh form: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
	GELUErf Activation = asm.GELUErf // the exact form: x * Phi(x)
	SiLU    Activation = asm.SiLU    // x / (1 + exp(-x))
	ReLU    Activation = asm.ReLU    // max(x, 0)
	ReLU2   Activation = asm.ReLU2   // max(x, 0)^2
)

var activationNames = [...]string{GELU: "gelu", GELUErf: "gelu_erf", SiLU: "silu", ReLU: "relu", ReLU2: "relu2"}

func (a Activation) String() string {
	if int(a) < len(activationNames) {
		return activationNames[a]
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}

// Apply sets dst = act(x), elementwise. dst may be x.
func (a Activation) Apply(dst, x []float32) {
	checkLen("dst", len(dst), len(x))
	asm.Activate(int(a), dst, x)
}

// Gate sets dst = act(gate) * up, elementwise. dst may be gate or up.
func (a Activation) Gate(dst, gate, up []float32) {
	checkLen("dst", len(dst), len(gate))
	checkLen("up", len(up), len(gate))
	asm.Gate(int(a), dst, gate, up)
}

// stretch is the number of elements in one unit of pooled elementwise work, a
// multiple of every vector width.
const stretch = 1024

// Activate is [Activation.Apply] with the elements spread over the pool.
func (p *Pool) Activate(a Activation, dst, x []float32) {
	checkLen("dst", len(dst), len(x))
	p.rows.run(p, rowWork{op: activate, dst: dst, x: x, act: a}, (len(x)+stretch-1)/stretch, stretch)
}

// Gate is [Activation.Gate] with the elements spread over the pool.
func (p *Pool) Gate(a Activation, dst, gate, up []float32) {
	checkLen("dst", len(dst), len(gate))
	checkLen("up", len(up), len(gate))
	p.rows.run(p, rowWork{op: gateUp, dst: dst, x: gate, y: up, act: a}, (len(gate)+stretch-1)/stretch, stretch)
}

func activate(w *rowWork, lo, hi int) {
	lo, hi = lo*stretch, min(hi*stretch, len(w.x))
	asm.Activate(int(w.act), w.dst[lo:hi], w.x[lo:hi])
}

func gateUp(w *rowWork, lo, hi int) {
	lo, hi = lo*stretch, min(hi*stretch, len(w.x))
	asm.Gate(int(w.act), w.dst[lo:hi], w.x[lo:hi], w.y[lo:hi])
}
