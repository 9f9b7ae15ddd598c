package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/ops"
	"github.com/spf13/cobra"
)

// sitesUsage explains the flag --sites.
const sitesUsage = "only these `norms`: names, patterns such as blk.*.attn_norm, roles (ln1, ln2, final, embedding, qk, post) or layers (0-3), with commas between"

// siteRoles are the roles that --sites knows.
var siteRoles = []arch.Role{arch.LN1, arch.LN2, arch.BeforeHead, arch.OnEmbedding, arch.OnQueryKey, arch.AfterBranch, arch.OnStreams}

func addSites(cmd *cobra.Command, list *string) {
	cmd.Flags().StringVar(list, "sites", "", sitesUsage)
	var words []string
	for _, r := range siteRoles {
		words = append(words, string(r))
	}
	// The only error is a flag registered twice.
	_ = cmd.RegisterFlagCompletionFunc("sites", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// selectSites returns the norms of a model that a list names, in the order of
// evaluation; all for an empty list.
func selectSites(m *arch.Model, list string) ([]*arch.Norm, error) {
	all := m.Norms()
	if list == "" {
		return all, nil
	}
	chosen := map[*arch.Norm]bool{}
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		var layers func(*arch.Norm) bool // nil: item is no range of layers
		if item != "" && strings.Trim(item, "0123456789-") == "" {
			var err error
			if layers, err = engine.ParseNormSites(item, m.Layers); err != nil {
				return nil, usagef("--sites: layers %s: the model has layers 0-%d", item, m.Layers-1)
			}
		}
		found := false
		for _, n := range all {
			match, err := path.Match(item, n.Site)
			if err != nil {
				return nil, usagef("--sites: pattern %q: %w", item, err)
			}
			if match || string(n.Role) == item || layers != nil && n.Layer >= 0 && layers(n) {
				chosen[n], found = true, true
			}
		}
		if !found {
			return nil, usagef("--sites: the model has no norm %q; %s", item, sitesOf(m))
		}
	}
	return slices.DeleteFunc(all, func(n *arch.Norm) bool { return !chosen[n] }), nil
}

// sitesOf says which norms there are.
func sitesOf(m *arch.Model) string {
	var names []string
	for _, n := range m.Norms() {
		if n.Layer <= 0 {
			names = append(names, n.Site)
		}
	}
	return fmt.Sprintf("it has, with those of blk.0 in each of %d layers: %s", m.Layers, strings.Join(names, ", "))
}

// geometrySite describes a norm to package geometry.
func geometrySite(m *arch.Model, n *arch.Norm) (s geometry.Site, err error) {
	s = geometry.Site{
		Name: n.Site, Layer: n.Layer, Role: string(n.Role), Center: n.Kind == arch.LayerNorm,
		Eps: float64(m.Eps), Dim: n.Width, Heads: n.Groups,
	}
	if s.Gain, err = finiteFloats(n.Gain); err != nil {
		return s, err
	}
	s.Bias, err = finiteFloats(n.Bias)
	return s, err
}

// finiteFloats returns the values of a tensor, which may be nil.
func finiteFloats(t *gguf.Tensor) ([]float32, error) {
	if t == nil {
		return nil, nil
	}
	v, err := t.Float32s()
	if err == nil {
		err = checkFinite(t, v, 0)
	}
	return v, err
}

// checkFinite returns an error if values, those of a tensor from index first on,
// hold NaN or Inf.
func checkFinite(t *gguf.Tensor, values []float32, first int) error {
	for i, v := range values {
		if v-v != 0 {
			return fmt.Errorf("tensor %s has %v at index %d: there are no statistics of that", t.Name, v, first+i)
		}
	}
	return nil
}

// normName is the name of a kind of norm in geometry.json.
func normName(k arch.NormKind) string { return strings.ToLower(k.String()) }

// weightCauses finds what the weights put along the uniform vector, a row of
// weights at a time.
func weightCauses(ctx context.Context, m *engine.Model, sites []geometry.Site) (*geometry.Causes, error) {
	c := &geometry.Causes{}
	err := m.File.Guard(func() error {
		for _, s := range sites {
			n := geometry.VectorStats(s.Name, s.Gain, s.Bias)
			var err error
			if n.Response, err = eval.ReaderResponse(ctx, m.Arch, s.Name); err != nil {
				return err
			}
			c.Norms = append(c.Norms, n)
		}
		for _, w := range m.Arch.Writers() {
			var err error
			switch {
			case w.Linear != nil:
				err = linearCauses(ctx, c, &w)
			case w.Rows == m.Arch.Embed:
				var rows geometry.RowStats
				t := w.Rows
				err = eachRow(ctx, &arch.Linear{W: t, Rows: t.Dims[1]}, 0, rows.Add)
				cause := rows.Cause(w.Name)
				c.Embedding = &cause
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}

// linearCauses adds a matrix, or each of a stack of them.
func linearCauses(ctx context.Context, c *geometry.Causes, w *arch.Writer) error {
	l := w.Linear
	experts := max(l.Experts, 1)
	var bias []float32
	if l.B != nil {
		all, err := finiteFloats(l.B)
		if err != nil {
			return err
		}
		bias = all[l.BFrom:][:l.Rows]
	}
	for e := range experts {
		var means geometry.ColumnMeans
		if err := eachRow(ctx, l, e, means.Add); err != nil {
			return err
		}
		name := w.Name
		if experts > 1 {
			name = fmt.Sprintf("%s[%d]", name, e)
		}
		c.Writers = append(c.Writers, means.Cause(name, w.Layer, bias))
	}
	return nil
}

// eachRow decodes the rows of the e-th matrix of a tensor one by one.
func eachRow(ctx context.Context, l *arch.Linear, e int, f func([]float32)) error {
	t := l.W
	size, err := t.Type.RowBytes(t.Dims[0])
	if err != nil {
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	first := e*l.Rows + l.From // experts are whole matrices
	w, err := ops.NewMatrix(t.Type, l.Rows, t.Dims[0], t.Data[first*size:(first+l.Rows)*size])
	if err != nil {
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	row := make([]float32, t.Dims[0])
	for i := range l.Rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.Row(row, i)
		if err := checkFinite(t, row, (first+i)*t.Dims[0]); err != nil {
			return err
		}
		f(row)
	}
	return nil
}
