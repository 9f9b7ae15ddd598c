package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/internal/plain"
)

// A Row is one subset of the norms of a sweep, and what their forms cost.
type Row struct {
	Group     string `json:"group"` // all, site, role, layer
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

	cost float64 // that rows are sorted by
}

// Cost is KL in nats a token, or 1 - cosine for encoders.
func (r *Row) Cost() float64 { return r.cost }

// Name says in a word which norms change.
func (r *Row) Name() string {
	name := cmp.Or(r.Site, r.Role)
	switch {
	case r.Group == "all":
		return "all norms"
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
	r.cost = cost
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

// Sweep measures the norms of an experiment: all, and one site, role and layer at a time, both
// alone and with all others. Rows of one direction are together, sorted by their cost;
// progress may be nil.
func (p *Experiment) Sweep(ctx context.Context, explained []Explanation, progress func(done, total int64)) ([]Row, error) {
	type subset struct {
		row Row
		on  []bool
	}
	all := make([]bool, len(p.Sites))
	for i := range all {
		all[i] = true
	}
	list := []subset{{Row{Group: "all", Direction: "only"}, all}}
	both := func(r Row, member func(i int) bool) {
		only, rest := make([]bool, len(all)), make([]bool, len(all))
		for i := range all {
			only[i] = member(i)
			rest[i] = !only[i]
		}
		if r.Direction = "only"; slices.Contains(only, true) {
			list = append(list, subset{r, only})
		}
		if r.Direction, r.Explanation = "all-but", nil; slices.Contains(rest, true) {
			list = append(list, subset{r, rest})
		}
	}
	roles, layers := map[string]bool{}, map[int]bool{}
	for i, n := range p.Sites {
		r := Row{Group: "site", Site: n.Site, Role: string(n.Role), Layer: layerOf(n.Layer)}
		if explained != nil {
			r.Explanation = &explained[i]
		}
		both(r, func(j int) bool { return j == i })
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
	measured := map[string]*Sample{}
	var rows []Row
	for i, s := range list {
		key := fmt.Sprint(s.on)
		if measured[key] == nil {
			m, err := p.Measure(ctx, s.on)
			if err != nil {
				return nil, err
			}
			measured[key] = m
		}
		for _, on := range s.on {
			if on {
				s.row.Norms++
			}
		}
		s.row.figures(measured[key], p.Encoder())
		rows = append(rows, s.row)
		if progress != nil {
			progress(int64(i+1), int64(len(list)))
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(-cmp.Compare(a.Direction, b.Direction), cmp.Compare(b.cost, a.cost)) // only, then all-but
	})
	return rows, nil
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
		added := func(c *candidate) float64 { return c.row.cost - base[max(c.step, 0)] }
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
		if !(best.row.cost <= budget) {
			return steps, sites, nil
		}
		on[best.site], before = true, best.row.cost
		sites = append(sites, p.Sites[best.site].Site)
	}
	return steps, sites, nil
}

// SweepSentence says in words what a sweep found.
func SweepSentence(rows []Row, form string) string {
	var sites []Row
	var all Row
	for _, r := range rows {
		switch {
		case r.Group == "all":
			all = r
		case r.Group == "site" && r.Direction == "only":
			sites = append(sites, r)
		}
	}
	if len(sites) == 0 {
		return ""
	}
	unit, worst := "a mean KL of %.2g nats", sites[0]
	if worst.Cosine != nil {
		unit = "1 - cosine of %.2g"
	}
	text := fmt.Sprintf("%s at all %s costs "+unit+"; alone %s costs the most, %.2g, and %s the least, %.2g.",
		form, plain.Count(len(sites), "norm"), all.cost, worst.Site, worst.cost, sites[len(sites)-1].Site, sites[len(sites)-1].cost)
	if len(sites) > 2 && sites[0].Explanation != nil {
		var told []string
		for _, e := range predictors {
			if r := correlation(sites, e.of); !math.IsNaN(r) {
				told = append(told, fmt.Sprintf("%s %.2f", e.name, r))
			}
		}
		text += fmt.Sprintf(" Rank correlation of the cost of single norms with what could predict it: %s.", strings.Join(told, ", "))
	}
	return text
}
