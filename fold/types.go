package fold

import (
	"context"
	"fmt"
	"slices"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// keepTypes marks what runners read as floats in every file: the gains of norms
// by the head, routers, learned positions. So are all vectors.
func (o *Output) keepTypes() {
	keep := func(as float, ts ...*gguf.Tensor) {
		for _, t := range ts {
			if t != nil {
				o.byT[t].float = as
			}
		}
	}
	keep(anyFloat, o.model.Positions)
	for _, n := range o.model.Norms() {
		keep(onlyF32, n.Gain, n.Bias)
	}
	for i := range o.model.Blocks {
		keep(anyFloat, o.model.Blocks[i].Router.W)
	}
	for _, it := range o.items {
		if it.vector() {
			it.float = onlyF32
		}
	}
}

// An EncodeError tells that a tensor cannot be stored in the type that it would
// have. [Dequant] has one that can.
type EncodeError struct {
	Tensor string
	Type   quant.Type
	Reason string
}

func (e *EncodeError) Error() string {
	return fmt.Sprintf("fold: tensor %s cannot be stored as %s: %s", e.Tensor, e.Type, e.Reason)
}

// chooseTypes decides how each tensor is stored.
func (o *Output) chooseTypes(ctx context.Context) error {
	for _, it := range o.items {
		if err := o.chooseType(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

func (o *Output) chooseType(ctx context.Context, it *item) error {
	t := &it.info.Type
	byDefault := false // F16 is our choice
	switch {
	case it.float == onlyF32 || it.vector():
		*t = quant.F32 // llama.cpp adds and multiplies by these, which it does in F32 alone
	case o.opts.Type != nil && (it.float == mayQuantize || *o.opts.Type == quant.F32):
		*t = *o.opts.Type
	case it.edited() && (o.opts.Strategy == Dequant || it.float == anyFloat) && *t != quant.F32:
		*t, byDefault = quant.F16, true
	}
	if f, _ := t.Format(); f.Items > 0 && it.info.Dims[0]%f.Items != 0 {
		*t, byDefault = quant.F16, true // rows that do not fit the blocks
	}
	if it.verbatim() || *t == quant.F32 {
		return nil
	}
	if !t.CanEncode() {
		return &EncodeError{it.info.Name, *t, "there is no encoder"}
	}
	largest, err := it.largest(ctx)
	if err != nil {
		return err
	}
	if err := quant.Encode(make([]byte, it.blockBytes()), *t, slices.Repeat([]float32{largest}, it.blockItems())); err != nil {
		if byDefault {
			*t = quant.F32
			o.Report.BeyondF16 = append(o.Report.BeyondF16, it.info.Name)
			return nil
		}
		return &EncodeError{it.info.Name, *t, fmt.Sprintf("a weight is %v", largest)}
	}
	return nil
}
