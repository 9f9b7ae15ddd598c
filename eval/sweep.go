package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
)

// A Row is one subset of the norms of a sweep, and what their forms cost.
type Row struct {
	Group     string `json:"group"` // all, site, role, layer; rounding: of activations, without any change of a norm
	Site      string `json:"site,omitempty"`
	Role      string `json:"role,omitempty"`
	Layer     *int   `json:"layer,omitempty"`
	Direction string `json:"direction"` // only: no other norm changes; all-but: all others do
	Norms     int    `json:"norms_changed"`

	// Of decoders.
	KLMean  *Number `json:"kl_mean,omitempty"` // nats a token
	KLSE    *Number `json:"kl_se,omitempty"`
	Ratio   *Number `json:"perplexity_ratio,omitempty"`
	RatioSE *Number `json:"perplexity_ratio_se,omitempty"`
	Top1    *Number `json:"top1_agreement,omitempty"`
	Top1SE  *Number `json:"top1_agreement_se,omitempty"`

	// Of encoders.
	Cosine       *Number `json:"cosine_mean,omitempty"`
	CosineSE     *Number `json:"cosine_se,omitempty"`
	CosineWorst  *Number `json:"cosine_worst,omitempty"`
	Rank         *Number `json:"rank_correlation,omitempty"`
	SameNeighbor *Number `json:"same_nearest_neighbor,omitempty"`

	*Explanation // of a site alone
}

// Groups of rows that are of no single place.
const (
	groupAll      = "all"
	groupRounding = "rounding"
)

// Cost is KL in nats a token, or 1 - cosine for encoders: what rows are sorted by.
func (r *Row) Cost() float64 {
	if r.Cosine != nil {
		return 1 - float64(*r.Cosine)
	}
	return r.KLMean.value()
}

// CostSE is the standard error of Cost.
func (r *Row) CostSE() float64 {
	if r.Cosine != nil {
		return r.CosineSE.value()
	}
	return r.KLSE.value()
}

// value is NaN where there is no number, which is null in JSON.
func (x *Number) value() float64 {
	if x == nil {
		return math.NaN()
	}
	return float64(*x)
}

// Name says in a word which norms change.
func (r *Row) Name() string {
	name := cmp.Or(r.Site, r.Role)
	switch {
	case r.Group == groupAll:
		return "all norms"
	case r.Group == groupRounding:
		return "none, activations of float32"
	case r.Layer != nil && r.Site == "":
		name = fmt.Sprintf("layer %d", *r.Layer)
	}
	if r.Direction == "all-but" {
		return "all but " + name
	}
	return name
}

// figures fills in what a sample comes to.
func (r *Row) figures(s *Sample, encoder bool) {
	number := func(x float64) *Number { n := Number(x); return &n }
	cost, se := s.mean(func(w Window) float64 { return w.KL })
	if encoder {
		rank, same := s.RankCorrelation, s.SameNeighbor
		r.Cosine, r.CosineSE, r.CosineWorst, r.Rank, r.SameNeighbor = number(1-cost), number(se), number(1-s.worst()), &rank, &same
		return
	}
	r.KLMean, r.KLSE = number(cost), number(se)
	d, dse := s.mean(func(w Window) float64 { return w.DNLL })
	r.Ratio, r.RatioSE = number(math.Exp(d)), number(math.Exp(d)*dse)
	top, tse := s.mean(func(w Window) float64 { return float64(w.Same) })
	r.Top1, r.Top1SE = number(top), number(tse)
}

// SweepOptions say which part of a sweep is measured, and who learns of it.
type SweepOptions struct {
	Shard, Shards int   // the subsets i with i mod Shards = Shard; 0 Shards: all
	Measured      []Row // of an earlier run of the same sweep: these are not measured again

	// Keep, if not nil, gets all rows so far, each time that one was measured.
	Keep func(rows []Row) error
	// Progress, if not nil, gets the number of subsets that are measured, and of all.
	Progress func(done, total int64)
}

// A subset is norms that change together.
type subset struct {
	row Row
	on  []bool
}

// subsets lists those of a sweep: all norms, and one site, role and layer at a time,
// both alone and with all others.
func (p *Experiment) subsets() []subset {
	all := make([]bool, len(p.Sites))
	for i := range all {
		all[i] = true
	}
	list := []subset{{Row{Group: groupAll, Direction: "only", Norms: len(all)}, all}}
	if !p.options.FloatActivations {
		list = append(list, subset{Row{Group: groupRounding, Direction: "only"}, nil})
	}
	both := func(r Row, member func(i int) bool) {
		only, rest := make([]bool, len(all)), make([]bool, len(all))
		r.Norms = 0
		for i := range all {
			only[i] = member(i)
			rest[i] = !only[i]
			if only[i] {
				r.Norms++
			}
		}
		r.Direction = "only"
		list = append(list, subset{r, only})
		if r.Direction, r.Norms = "all-but", len(all)-r.Norms; r.Norms > 0 {
			list = append(list, subset{r, rest})
		}
	}
	roles, layers := map[string]bool{}, map[int]bool{}
	for i, n := range p.Sites {
		both(Row{Group: "site", Site: n.Site, Role: string(n.Role), Layer: layerOf(n.Layer)}, func(j int) bool { return j == i })
		roles[string(n.Role)] = true
		if n.Layer >= 0 {
			layers[n.Layer] = true
		}
	}
	for _, role := range sortedKeys(roles) {
		both(Row{Group: "role", Role: role}, func(j int) bool { return string(p.Sites[j].Role) == role })
	}
	for _, layer := range sortedKeys(layers) {
		both(Row{Group: "layer", Layer: layerOf(layer)}, func(j int) bool { return p.Sites[j].Layer == layer })
	}
	return list
}

// Subsets returns how many rows the whole sweep has.
func (p *Experiment) Subsets() int { return len(p.subsets()) }

// Sweep measures the subsets of the norms of an experiment, or a shard of them. Rows of
// one direction are together, sorted by their cost. A row of a single site has its
// explanation.
func (p *Experiment) Sweep(ctx context.Context, o SweepOptions) ([]Row, error) {
	list := p.subsets()
	known := map[string]Row{}
	for _, r := range o.Measured {
		known[r.key()] = r
	}
	var mine []subset
	var sites []*arch.Norm // to explain
	for i, s := range list {
		if i%max(o.Shards, 1) != o.Shard {
			continue
		}
		mine = append(mine, s)
		if _, ok := known[s.row.key()]; !ok && s.row.explains() {
			sites = append(sites, p.Sites[slices.Index(s.on, true)])
		}
	}
	explained, err := p.explain(ctx, sites)
	if err != nil {
		return nil, err
	}
	measured := map[string]*Sample{}
	var rows []Row
	for i, s := range mine {
		row, ok := known[s.row.key()]
		if !ok {
			key := fmt.Sprint(s.on)
			if measured[key] == nil {
				if measured[key], err = p.sample(ctx, &s); err != nil {
					return nil, err
				}
			}
			row = s.row
			row.figures(measured[key], p.Encoder())
			if row.explains() {
				row.Explanation = explained[row.Site]
			}
		}
		rows = append(rows, row)
		if o.Keep != nil && !ok {
			if err := o.Keep(rows); err != nil {
				return nil, err
			}
		}
		if o.Progress != nil {
			o.Progress(int64(i+1), int64(len(mine)))
		}
	}
	sortRows(rows)
	return rows, nil
}

func (p *Experiment) sample(ctx context.Context, s *subset) (*Sample, error) {
	if s.row.Group == groupRounding {
		return p.Rounding(ctx)
	}
	return p.Measure(ctx, s.on)
}

// explains reports whether a row is of one site alone.
func (r *Row) explains() bool { return r.Group == "site" && r.Direction == "only" }

// key tells the rows of a sweep apart.
func (r *Row) key() string { return r.Group + " " + r.Name() }

// sortRows puts those that change the fewest norms first, and of these the most
// expensive.
func sortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(-cmp.Compare(a.Direction, b.Direction), cmp.Compare(b.Cost(), a.Cost()), cmp.Compare(a.key(), b.key()))
	})
}

// explain returns the explanations of sites by name.
func (p *Experiment) explain(ctx context.Context, sites []*arch.Norm) (map[string]*Explanation, error) {
	all := map[string]*Explanation{}
	if len(sites) == 0 {
		return all, nil
	}
	p.set(nil)
	list, err := Explain(ctx, p.model, sites, p.windows)
	for i, n := range sites {
		if err == nil {
			all[n.Site] = &list[i]
		}
	}
	return all, err
}

func layerOf(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

func sortedKeys[K cmp.Ordered](m map[K]bool) (keys []K) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Budget changes norms one by one, the cheapest first, for as long as the cost of all
// changed ones stays within budget: nats of KL a token, or 1 - cosine for encoders. It
// returns the steps, each with the site added and the cost of all so far; the last one
// may be the first over the budget, which is then not among the sites.
//
// A candidate is measured anew beside those already chosen before it is taken. Those
// whose cost at an earlier step was above that of the candidate are not (Minoux 1978).
func (p *Experiment) Budget(ctx context.Context, budget float64, progress func(done, total int64)) (steps []Row, sites []string, err error) {
	type candidate struct {
		site int
		row  Row
		step int // at which it was measured
	}
	on := make([]bool, len(p.Sites))
	measure := func(c *candidate, step int) error {
		on[c.site] = true
		s, err := p.Measure(ctx, on)
		on[c.site] = false
		if err != nil {
			return err
		}
		n := p.Sites[c.site]
		c.row = Row{Group: "budget", Site: n.Site, Role: string(n.Role), Layer: layerOf(n.Layer), Direction: "only", Norms: step + 1}
		c.row.figures(s, p.Encoder())
		c.step = step
		return nil
	}
	var left []*candidate
	for i := range p.Sites {
		left = append(left, &candidate{site: i, step: -1})
	}
	before := 0.0 // cost of those chosen
	base := make([]float64, len(p.Sites)+1)
	for step := 0; len(left) > 0; step++ {
		base[step] = before
		added := func(c *candidate) float64 { return c.row.Cost() - base[max(c.step, 0)] }
		for {
			slices.SortStableFunc(left, func(a, b *candidate) int {
				if (a.step < 0) != (b.step < 0) { // those never measured come first
					return cmp.Compare(a.step, b.step)
				}
				return cmp.Compare(added(a), added(b))
			})
			if left[0].step == step {
				break
			}
			if err := measure(left[0], step); err != nil {
				return nil, nil, err
			}
		}
		best := left[0]
		left = left[1:]
		steps = append(steps, best.row)
		if progress != nil {
			progress(int64(step+1), int64(len(p.Sites)))
		}
		if !(best.row.Cost() <= budget) {
			return steps, sites, nil
		}
		on[best.site], before = true, best.row.Cost()
		sites = append(sites, p.Sites[best.site].Site)
	}
	return steps, sites, nil
}
