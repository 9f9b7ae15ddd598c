package fold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// Targets returns the names of all RMSNorm architectures that something can
// be exported to.
func Targets() []string {
	var to []string
	for _, s := range arch.All() {
		for _, name := range s.Exports {
			if !slices.Contains(to, name) {
				to = append(to, name)
			}
		}
	}
	slices.Sort(to)
	return to
}

// target returns the architecture that an export asks for; nil for the
// original one.
func target(m *arch.Model, export string) (*arch.Spec, error) {
	if export == "" || export == m.Spec.Name && m.Spec.Norm == arch.LayerNorm {
		return nil, nil
	}
	reason := ""
	for _, name := range m.Spec.Exports {
		if export != "auto" && export != name {
			continue
		}
		to, ok := arch.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("fold: %s can be exported to %s, which is unknown", m.Spec.Name, name)
		}
		if reason = misfit(m, to); reason == "" {
			return to, nil
		}
	}
	switch to := m.Spec.Exports; {
	case export == "auto":
		return nil, nil
	case reason != "":
		reason = fmt.Sprintf("%s cannot express this model: %s", export, reason)
	case len(to) == 0:
		reason = fmt.Sprintf("no RMSNorm architecture of llama.cpp computes what it does, so it cannot become %s; its own name is the default", export)
	default:
		reason = fmt.Sprintf("there is no way to %s, only to %s", export, strings.Join(to, ", "))
	}
	return nil, &Refusal{Arch: m.Spec.Name, Reason: reason}
}

// misfit returns what a model computes that an architecture cannot; "" if
// there is nothing.
func misfit(m *arch.Model, to *arch.Spec) string {
	if m.Clamp > 0 && to.Clamp == arch.Absent {
		return "it clamps queries, keys and values"
	}
	for i := range m.Blocks {
		switch b := &m.Blocks[i]; {
		case b.Parallel && to.Form != arch.Parallel:
			return "its blocks are parallel"
		case (b.QNorm != nil || b.KNorm != nil) && to.QKNorm == arch.Absent:
			return "it norms queries and keys"
		}
	}
	if m.Spec.Rotary != to.Rotary && m.RoPE.Dims != m.HeadDim {
		return "its RoPE turns a part of each head"
	}
	return ""
}

// become makes the tensors and the metadata those of another architecture,
// which computes the same.
func (o *Output) become(to *arch.Spec) error {
	m := o.model
	for _, n := range m.Norms() { // without a gain it is 1
		if n.Gain == nil {
			o.add(arch.WeightName(n.Site), 1, m.Dim)
		}
	}
	if to.Experts == arch.Required && m.Experts == 0 {
		o.makeExperts()
	}
	if to.HeadBias == arch.Required && m.Head.B == nil {
		o.add(arch.BiasName(arch.Head.Name(-1)), 0, m.Vocab)
	}
	if m.Spec.LogitScale != arch.Absent && to.LogitScale == arch.Absent {
		o.scaleHead(m.LogitScale)
		o.meta.Delete(m.Spec.Key(arch.KeyLogitScale))
	}
	if m.Spec.Rotary == arch.Pairwise && to.Rotary == arch.HalfSplit {
		if err := o.splitHalves(); err != nil {
			return err
		}
	}
	if m.Experts == 0 && to.Experts == arch.Required {
		for _, key := range []string{arch.KeyExperts, arch.KeyExpertsUsed} {
			if err := o.meta.Set(m.Spec.Key(key), uint32(1)); err != nil {
				return err
			}
		}
	}
	return m.Spec.Rename(o.meta, to)
}

// makeExperts makes every FFN a mixture of one expert.
func (o *Output) makeExperts() {
	m := o.model
	for i := range m.Blocks {
		b := &m.Blocks[i]
		for _, l := range []*arch.Linear{&b.Gate, &b.Up, &b.Down} {
			it := o.byT[l.W]
			it.info.Name = arch.WeightName(l.Role.ExpertsName(i))
			it.info.Dims = append(slices.Clone(it.info.Dims), 1)
		}
		o.add(arch.WeightName(arch.Router.Name(i)), 0, m.Dim, 1).float = anyFloat
		// Releases of llama.cpp differ in which of these they require.
		o.add(arch.BiasName(b.O.Name), 0, m.Dim)
		for _, l := range []*arch.Linear{&b.Q, &b.K, &b.V} {
			if bias, _ := o.bias(l); bias == nil {
				rows, _ := o.byT[l.W].shape()
				o.add(arch.BiasName(l.Name), 0, rows)
			}
		}
	}
}

// scaleHead multiplies the rows of the head by c.
func (o *Output) scaleHead(c float32) {
	it := o.matrix(&o.model.Head)
	it.edits = append(it.edits, edit{0, o.model.Vocab, func(row []float32, _ int) {
		for j := range row {
			row[j] *= c
		}
	}})
}

// splitHalves reorders the rows of queries and keys from pairwise to half-split
// RoPE.
func (o *Output) splitHalves() error {
	hd := o.model.HeadDim
	pairwise := func(i int) int { // the row that row i of the half-split form is
		h, j := i/hd*hd, i%hd
		if j < hd/2 {
			return h + 2*j
		}
		return h + 2*(j-hd/2) + 1
	}
	for i := range o.model.Blocks {
		for _, l := range []*arch.Linear{&o.model.Blocks[i].Q, &o.model.Blocks[i].K} {
			it := o.byT[l.W]
			others := it.perm // keys may share the tensor of queries
			it.perm = func(i int) int {
				switch {
				case i >= l.From && i < l.From+l.Rows:
					return l.From + pairwise(i-l.From)
				case others != nil:
					return others(i)
				}
				return i
			}
			b, at := o.bias(l)
			if b == nil {
				continue
			}
			_, n := b.shape()
			was := make([]float32, n)
			if err := b.row(was, 0); err != nil {
				return err
			}
			now := slices.Clone(was)
			for j := range l.Rows {
				now[at+j] = was[at+pairwise(j)]
			}
			b.replace(now)
		}
	}
	return nil
}

// add adds a tensor that is c throughout, unless there is one of the name, and
// returns it.
func (o *Output) add(name string, c float32, dims ...int) *item {
	if it := o.find(name); it != nil {
		return it
	}
	it := &item{info: gguf.TensorInfo{Name: name, Type: quant.F32, Dims: dims}}
	rows, cols := it.shape()
	it.values = slices.Repeat([]float32{c}, rows*cols)
	o.items = append(o.items, it)
	return it
}
