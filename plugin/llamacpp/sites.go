package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/arch"
)

// A Site is one norm of llama.cpp's graph.
type Site struct {
	Name          string    // as in package arch: blk.3.attn_norm, output_norm
	Role          arch.Role // "" where package arch does not know the architecture
	Layer         int       // -1 outside the blocks
	Center        bool      // LayerNorm; else RMSNorm
	Eps           float32
	Width, Groups int       // of a token, Groups vectors of Width are normalized side by side
	Gain, Bias    []float32 // nil: none; as long as Width, or as all groups

	sigma float64 // mean of sqrt(var(x)+eps) over a text; 0: not calibrated
}

// A graph says where the norms of a model's graph stand.
type graph struct {
	inPlace    []bool        // by site: the norm's result overwrites what it reads
	overwrites map[int][]int // by node: the sites that overwrite it
}

// learner takes in the nodes of a graph.
type learner struct {
	lib    *Library
	tokens int
	index  map[*tensor]int   // of a node
	gains  map[*tensor]*node // products with a gain
	norms  []*node
	by     map[*tensor]*node
}

// A node is a norm as the graph has it.
type node struct {
	name          string
	center        bool
	eps           float32
	width, groups int
	source        int // the node that it reads; -1: an input
	inPlace       bool
	gain, bias    string // names of tensors; "": none
}

// learn evaluates a few tokens and matches the norms of llama.cpp's graph with
// those of the file.
func (m *Model) learn() error {
	tokens := make([]int32, min(3, m.size))
	k := &learner{lib: m.lib, tokens: len(tokens), index: map[*tensor]int{}, gains: map[*tensor]*node{}, by: map[*tensor]*node{}}
	m.run = &run{ctx: context.Background(), tokens: tokens, learn: k}
	err := m.compute(tokens)
	m.run = nil
	if err != nil {
		return err
	}
	m.Reset()
	if len(k.norms) == 0 {
		return errors.New("llama.cpp's graph has no norms")
	}
	if err := m.match(k.norms); err != nil {
		return err
	}
	m.graph = &graph{inPlace: make([]bool, len(k.norms)), overwrites: map[int][]int{}}
	for i, n := range k.norms {
		if n.inPlace {
			m.graph.inPlace[i] = true
			m.graph.overwrites[n.source] = append(m.graph.overwrites[n.source], i)
		}
	}
	return nil
}

// see takes in one node.
func (k *learner) see(t *tensor) error {
	if err := k.lib.check(t); err != nil {
		return err
	}
	at := len(k.index)
	k.index[t] = at
	switch a, b := t.src[0], t.src[1]; {
	case k.lib.isNorm(t):
		n := &node{name: t.String(), center: t.op == k.lib.op.norm, eps: t.eps(), width: int(t.ne[0]), source: -1, inPlace: t.data == a.data}
		if t.elements()%(k.tokens*n.width) != 0 {
			return fmt.Errorf("the norm %s has %d elements for %d tokens", t, t.elements(), k.tokens)
		}
		n.groups = t.elements() / (k.tokens * n.width)
		if i, ok := k.index[a]; ok {
			n.source = i
		} else if n.inPlace {
			return fmt.Errorf("the norm %s overwrites an input of the graph", t)
		}
		k.norms = append(k.norms, n)
		k.by[t] = n
	case t.op == k.lib.op.mul && b != nil && isGain(b.String()):
		if n := first(k.by, a); n != nil && n.gain == "" {
			n.gain = b.String()
			k.gains[t] = n
		}
	case t.op == k.lib.op.add && b != nil && strings.HasSuffix(b.String(), ".bias"):
		if n := first(k.gains, a); n != nil && n.bias == "" {
			n.bias = b.String()
		} else if n := first(k.by, a); n != nil && n.gain == "" {
			n.bias = b.String()
		}
	}
	return nil
}

// isGain reports whether a tensor of this name is a gain; those of PLaMo 2 have no suffix.
func isGain(name string) bool {
	return strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, "_norm")
}

// first looks up a tensor, or the one it is a view of.
func first(by map[*tensor]*node, t *tensor) *node {
	if n := by[t]; n != nil || t == nil || t.view == nil {
		return n
	}
	return by[t.view]
}

// match makes sites of the norms: those of package arch, where it knows the
// architecture. They are matched by the names of their gains, and by their order
// where they have none.
func (m *Model) match(norms []*node) error {
	known, err := arch.Load(m.File)
	var unknown *arch.UnknownError
	if err != nil && !errors.As(err, &unknown) {
		return fmt.Errorf("the norms are not known: %w", err)
	}
	var left []*arch.Norm
	if err == nil {
		left = slices.DeleteFunc(known.Norms(), func(n *arch.Norm) bool { return n == known.ClassNorm })
	}
	for _, n := range norms {
		s := &Site{
			Name: strings.TrimSuffix(n.gain, ".weight"), Layer: layerOf(n.gain),
			Center: n.center, Eps: n.eps, Width: n.width, Groups: n.groups,
		}
		if s.Name == "" {
			s.Name, s.Layer = fmt.Sprintf("%s#%d", n.name, len(m.sites)), layerOf(n.name)
		}
		if s.Gain, err = m.vector(n.gain); err != nil {
			return err
		}
		if s.Bias, err = m.vector(n.bias); err != nil {
			return err
		}
		if known != nil {
			i := slices.IndexFunc(left, func(a *arch.Norm) bool {
				return a.Gain == nil && n.gain == "" || a.Gain != nil && a.Gain.Name == n.gain
			})
			if i < 0 {
				return fmt.Errorf("llama.cpp's graph has a norm %s, and %s has none", s.Name, known.Spec.Name)
			}
			a := left[i]
			left = slices.Delete(left, i, i+1)
			if (a.Kind == arch.LayerNorm) != s.Center || a.Width*a.Groups != s.Width*s.Groups {
				return fmt.Errorf("the norm %s is %v over %d of %d elements here, and over %d of %d in llama.cpp's graph (%s)",
					a.Site, a.Kind, a.Width, a.Width*a.Groups, s.Width, s.Width*s.Groups, n.name)
			}
			s.Name, s.Role, s.Layer = a.Site, a.Role, a.Layer
		}
		m.sites = append(m.sites, s)
	}
	if len(left) > 0 {
		return fmt.Errorf("llama.cpp's graph has no norm %s", left[0].Site)
	}
	return nil
}

// vector returns the values of a tensor of the file; nil for no name.
func (m *Model) vector(name string) ([]float32, error) {
	if name == "" {
		return nil, nil
	}
	t, ok := m.File.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("llama.cpp's graph has a tensor %s, and the file has none", name)
	}
	return t.Float32s()
}

// layerOf reads the layer off a tensor's name (blk.3.attn_norm.weight) or a
// node's (norm-3); -1: none.
func layerOf(name string) int {
	digits := ""
	if rest, ok := strings.CutPrefix(name, "blk."); ok {
		digits, _, _ = strings.Cut(rest, ".")
	} else if i := strings.LastIndexByte(name, '-'); i >= 0 {
		digits = name[i+1:]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
