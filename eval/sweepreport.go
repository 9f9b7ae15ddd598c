package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/internal/plain"
)

// The kinds of a SweepReport.
const (
	Sweep  = "sweep"  // one site, role and layer at a time
	Budget = "budget" // norms are added one by one
)

// A SweepReport is what a sweep, a shard of one, or the spending of a budget has found,
// with all that says what it was measured with.
type SweepReport struct {
	Kind        string   `json:"kind"`
	Version     string   `json:"version"` // of the program
	Model       string   `json:"model"`
	ModelSum    string   `json:"model_sha256"`
	Arch        string   `json:"architecture"`
	Norm        string   `json:"norm"`             // the form that norms get
	Sites       string   `json:"sites,omitempty"`  // that are changed; "": all
	Text        string   `json:"text"`             // of measurement
	IDs         string   `json:"text_sha256"`      // of the token ids, little-endian int32
	Calibration string   `json:"calibration_text"` // "": no form is calibrated
	CalibIDs    string   `json:"calibration_text_sha256"`
	Activations string   `json:"activations"` // f32; q8: 8 bits against quantized weights; or bf16: BF16 against such
	KV          string   `json:"kv"`          // type of the cache
	Context     int      `json:"context"`     // largest number of tokens of a window
	Windows     int      `json:"windows"`
	Tokens      int      `json:"tokens_read"`
	Budget      *float64 `json:"budget,omitempty"` // nats a token, or 1 - cosine
	Within      []string `json:"sites_within_budget,omitempty"`
	Subsets     int      `json:"subsets"` // rows of all shards of a sweep
	Shards      []int    `json:"shards"`  // that are in here
	Of          int      `json:"of"`      // number of shards
	Rows        []Row    `json:"rows"`
	Verdict     string   `json:"verdict"`
}

// ParseSweep reads a report from JSON.
func ParseSweep(b []byte) (*SweepReport, error) {
	r := new(SweepReport)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	switch {
	case r.Kind != Sweep && r.Kind != Budget:
		return nil, fmt.Errorf("eval: a report of kind %q; want %s", r.Kind, Sweep)
	case r.Of < 1 || r.Of > maxShards || len(r.Shards) == 0 || r.Subsets < 0 || r.Subsets > maxShards:
		return nil, errors.New("eval: the report has no shards or no subsets")
	}
	for _, s := range r.Shards {
		if s < 0 || s >= r.Of {
			return nil, fmt.Errorf("eval: the report has shard %d of %d", s, r.Of)
		}
	}
	seen := map[string]bool{}
	for i := range r.Rows {
		row := &r.Rows[i]
		if seen[row.key()] || row.Cosine == nil && row.KLMean == nil {
			return nil, fmt.Errorf("eval: the report has no figures of %s, or has it twice", row.Name())
		}
		seen[row.key()] = true
	}
	return r, nil
}

// Same returns an error that names the first setting in which two reports differ.
func (r *SweepReport) Same(o *SweepReport) error {
	for _, same := range []struct {
		what string
		a, b any
	}{
		{"kind", r.Kind, o.Kind}, {"model", r.Model, o.Model}, {"model's SHA-256", r.ModelSum, o.ModelSum}, {"architecture", r.Arch, o.Arch},
		{"version", r.Version, o.Version}, {"form of the norms", r.Norm, o.Norm}, {"list of sites", r.Sites, o.Sites},
		{"text", r.IDs, o.IDs}, {"text for calibration", r.CalibIDs, o.CalibIDs}, {"type of the activations", r.Activations, o.Activations}, {"type of the cache", r.KV, o.KV},
		{"context", r.Context, o.Context}, {"number of windows", r.Windows, o.Windows}, {"number of subsets", r.Subsets, o.Subsets}, {"number of shards", r.Of, o.Of},
	} {
		if same.a != same.b {
			return fmt.Errorf("eval: these are not of one sweep: the %s differs, %v and %v", same.what, same.a, same.b)
		}
	}
	return nil
}

// Complete returns an error if rows of the shards in here are missing: the run that
// wrote them was ended.
func (r *SweepReport) Complete() error {
	want := 0
	for _, s := range r.Shards {
		want += (r.Subsets - s + r.Of - 1) / r.Of
	}
	if len(r.Rows) != want {
		return fmt.Errorf("eval: it has %d of %s: its run did not end", len(r.Rows), plain.Count(want, "row"))
	}
	return nil
}

// Merge takes in another shard of the same sweep.
func (r *SweepReport) Merge(o *SweepReport) error {
	if err := r.Same(o); err != nil {
		return err
	}
	for _, s := range o.Shards {
		if slices.Contains(r.Shards, s) {
			return fmt.Errorf("eval: shard %d of %d is there twice", s, r.Of)
		}
	}
	r.Shards = append(r.Shards, o.Shards...)
	slices.Sort(r.Shards)
	r.SetRows(append(r.Rows, o.Rows...))
	return nil
}

// Missing returns the shards that are not in here.
func (r *SweepReport) Missing() []int { return missing(r.Shards, r.Of) }

// SetRows sets the rows of a sweep, in their order, and the verdict.
func (r *SweepReport) SetRows(rows []Row) {
	sortRows(rows)
	r.Rows, r.Verdict = rows, sweepSentence(rows, r.Norm, r.Activations)
}

// sweepSentence says in words what a sweep found.
func sweepSentence(rows []Row, form, activations string) string {
	var sites []Row
	var all, rounding *Row
	for i, r := range rows {
		switch {
		case r.Group == groupAll:
			all = &rows[i]
		case r.Group == groupRounding:
			rounding = &rows[i]
		case r.explains():
			sites = append(sites, r)
		}
	}
	if len(sites) == 0 || all == nil {
		return "" // a shard
	}
	unit, worst, least := "a mean KL of %.2g nats", sites[0], sites[len(sites)-1]
	if worst.Cosine != nil {
		unit = "1 - cosine of %.2g"
	}
	text := fmt.Sprintf("%s at all %s costs "+unit+".", form, plain.Count(len(sites), "norm"), all.Cost())
	if len(sites) > 1 {
		text = fmt.Sprintf("%s at all %s costs "+unit+"; alone %s costs the most, %.2g, and %s the least, %.2g.",
			form, plain.Count(len(sites), "norm"), all.Cost(), worst.Site, worst.Cost(), least.Site, least.Cost())
	}
	if rounding != nil {
		text += fmt.Sprintf(" Rounding activations to %s alone, without any change of a norm, costs %.2g: smaller figures say nothing of norms.", roundedTo(activations), rounding.Cost())
	}
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
