package fold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A route re-expresses a folded LayerNorm architecture as an RMSNorm
// architecture of llama.cpp that computes the same function.
type route struct {
	from, to string
	repairs  bool // the source runs RMSNorm already, on writers that were never centred
	check    func(m *arch.Model) string
	apply    func(o *Output) error
}

// routes were verified by running original and export in llama.cpp; see
// docs/FOLD.md.
var routes = []route{
	{from: "olmo", to: "llama", check: noClamp, apply: toLlama},
	{from: "stablelm", to: "phimoe", check: sequential, apply: toPhiMoE},
	{from: "orion", to: "phimoe", check: sequential, apply: toPhiMoE},
	{from: "command-r", to: "plamo", check: plainHeads, apply: toPLaMo},
	{from: "phimoe", to: "phimoe", repairs: true, check: func(*arch.Model) string { return "" }, apply: func(*Output) error { return nil }},
}

// Routes returns the names of the RMSNorm architectures that models of an
// architecture can be exported to.
func Routes(s *arch.Spec) []string {
	var to []string
	for _, r := range routes {
		if r.from == s.Name {
			to = append(to, r.to)
		}
	}
	return to
}

// Targets returns the names of all RMSNorm architectures that something can
// be exported to.
func Targets() []string {
	var to []string
	for _, r := range routes {
		if !slices.Contains(to, r.to) {
			to = append(to, r.to)
		}
	}
	return to
}

// findRoute returns the route that an export asks for; nil for the
// original architecture.
func findRoute(m *arch.Model, export string) (*route, error) {
	if export == "" || export == m.Spec.Name && m.Spec.Norm == arch.LayerNorm {
		return nil, nil
	}
	reason := ""
	for i, r := range routes {
		if r.from != m.Spec.Name || export != "auto" && export != r.to {
			continue
		}
		if reason = r.check(m); reason == "" {
			return &routes[i], nil
		}
	}
	switch {
	case export == "auto":
		return nil, nil
	case reason != "":
		return nil, &Refusal{m.Spec.Name, fmt.Sprintf("%s cannot express this model: %s", export, reason)}
	}
	to := Routes(m.Spec)
	if len(to) == 0 {
		return nil, &Refusal{m.Spec.Name, fmt.Sprintf("no RMSNorm architecture of llama.cpp computes what it does, so it cannot become %s; its own name is the default", export)}
	}
	return nil, &Refusal{m.Spec.Name, fmt.Sprintf("there is no way to %s, only to %s", export, strings.Join(to, ", "))}
}

// centreOnly is the plan that centres the writers of a model whose norms are
// RMSNorms already.
func centreOnly(m *arch.Model) *Plan {
	p := &Plan{Model: m}
	for _, w := range m.Writers() {
		s := Step{Action: CentreColumns, Target: w.Name, Layer: w.Layer, Rows: w.Rows, Linear: w.Linear, Groups: 1}
		if w.Rows != nil {
			s.Action = CentreRows
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

func noClamp(m *arch.Model) string {
	if m.Clamp > 0 {
		return "it clamps queries, keys and values"
	}
	return ""
}

func sequential(m *arch.Model) string {
	for i := range m.Blocks {
		switch b := &m.Blocks[i]; {
		case b.Parallel:
			return "its blocks are parallel"
		case b.QNorm != nil:
			return "it norms queries and keys"
		}
	}
	return ""
}

func plainHeads(m *arch.Model) string {
	switch {
	case m.Blocks[0].QNorm != nil:
		return "it norms queries and keys"
	case m.RoPE.Dims != m.HeadDim:
		return "its RoPE turns a part of each head"
	}
	return ""
}

// toLlama gives OLMo's norms the gains they lack. The mean-free LayerNorm
// without parameters is an RMSNorm with gains of 1.
func toLlama(o *Output) error {
	for _, n := range o.model.Norms() {
		o.made(n.Site+".weight", 1, o.model.Dim)
	}
	return o.become("llama")
}

// toPhiMoE makes every FFN a mixture of one expert: PhiMoE is the RMSNorm
// architecture whose norms have biases.
func toPhiMoE(o *Output) error {
	m := o.model
	for i := range m.Blocks {
		blk := func(name string) string { return fmt.Sprintf("blk.%d.%s", i, name) }
		for _, l := range []*arch.Linear{&m.Blocks[i].Gate, &m.Blocks[i].Up, &m.Blocks[i].Down} {
			it := o.byT[l.W]
			it.info.Name = l.Name + "_exps.weight"
			it.info.Dims = append(append([]int{}, it.info.Dims...), 1)
		}
		o.made(blk("ffn_gate_inp.weight"), 0, m.Dim, 1)
		o.made(blk("attn_output.bias"), 0, m.Dim)
		for _, l := range []*arch.Linear{&m.Blocks[i].Q, &m.Blocks[i].K, &m.Blocks[i].V} {
			o.made(l.Name+".bias", 0, l.Rows)
		}
	}
	o.made("output.bias", 0, m.Vocab)
	for _, key := range []string{"expert_count", "expert_used_count"} {
		if err := o.Meta.Set(m.Spec.Name+"."+key, uint32(1)); err != nil {
			return err
		}
	}
	return o.become("phimoe")
}

// toPLaMo reorders the rows of queries and keys from pairwise to half-split
// RoPE, and scales the head, which Command-R ties to the embedding.
func toPLaMo(o *Output) error {
	m := o.model
	scale := m.LogitScale
	o.head.edits = append(o.head.edits, edit{0, m.Vocab, func(row []float32, _ int) {
		for j := range row {
			row[j] *= scale
		}
	}})
	hd := m.HeadDim
	halves := func(i int) int { // the pairwise row that a half-split row is
		h, j := i/hd*hd, i%hd
		if j < hd/2 {
			return h + 2*j
		}
		return h + 2*(j-hd/2) + 1
	}
	for i := range m.Blocks {
		for _, l := range []*arch.Linear{&m.Blocks[i].Q, &m.Blocks[i].K} {
			it := o.byT[l.W]
			if l.Rows != l.W.Dims[1] {
				return &Refusal{m.Spec.Name, fmt.Sprintf("%s is fused", l.Name)}
			}
			it.perm = halves
			if l.B != nil {
				b, err := l.B.Float32s()
				if err != nil {
					return fmt.Errorf("fold: %w", err)
				}
				v := make([]float32, len(b))
				for j := range v {
					v[j] = b[halves(j)]
				}
				bias := o.byT[l.B]
				bias.from, bias.values = nil, v
			}
		}
	}
	o.Meta.Delete(m.Spec.Name + ".logit_scale")
	return o.become("plamo")
}

// made adds a tensor that is c throughout, unless there is one of the name.
func (o *Output) made(name string, c float32, dims ...int) {
	if o.find(name) != nil {
		return
	}
	it := &item{info: gguf.TensorInfo{Name: name, Type: quant.F32, Dims: dims}}
	rows, cols := it.shape()
	it.values = make([]float32, rows*cols)
	for i := range it.values {
		it.values[i] = c
	}
	o.items = append(o.items, it)
}

// become renames the keys of the architecture, and that of the epsilon.
func (o *Output) become(name string) error {
	old := o.model.Spec.Name
	var meta gguf.Meta
	for _, kv := range o.Meta.All() {
		key, value := kv.Key, kv.Value
		if rest, ok := strings.CutPrefix(key, old+"."); ok {
			if rest == "attention.layer_norm_epsilon" {
				rest = "attention.layer_norm_rms_epsilon"
			}
			key = name + "." + rest
		}
		if key == "general.architecture" {
			value = name
		}
		if err := meta.Set(key, value); err != nil {
			return err
		}
	}
	*o.Meta = meta
	return nil
}
