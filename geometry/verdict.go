package geometry

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/internal/plain"
)

// A site carries a large mean when the share of energy along 1 exceeds that
// of a random direction by more than sin^2 of 10 degrees, and a slight one
// beyond sin^2 of 5 degrees. The paper's exception, GPT-2 XL at 101.5
// degrees, is large by this measure; its other models are not even slight.
const (
	largeShare  = 0.030153689607045807 // sin^2(10 deg)
	slightShare = 0.007596123493895969 // sin^2(5 deg)
)

// An exchange of all norms is not harmless if it changes the perplexity by more
// than costly, or more than moves of the first choices or nearest neighbors.
const (
	costly = 0.01
	moves  = 0.05
	turns  = 0.01 // of embeddings: 1 - cosine in the mean
	risky  = 0.05 // offset behind a norm, where nothing was measured
)

// verdict says which of the paper's two scenarios the figures show, and what
// the logits say of it where they were measured.
func verdict(r *Result) string {
	if r.Tokens == 1 {
		return "One token was read, which is too few for a verdict."
	}
	var parts []string
	large := false
	for _, center := range []bool{true, false} {
		if s, some := scenario(r, kindOf(center)); s != "" {
			parts, large = append(parts, s), large || some
		}
	}
	if len(parts) == 0 {
		return "No norm of the residual stream was measured: no verdict."
	}
	if s := swapped(r.Swap, large); s != "" {
		parts = append(parts, s)
	}
	if s := swappedEmbeddings(r.EmbeddingSwap, large); s != "" {
		parts = append(parts, s)
	}
	if n := r.nonFinite(); n > 0 {
		parts = append(parts, plain.Count(n, "vector")+" with NaN or Inf: these are left out.")
	}
	return strings.Join(parts, " ")
}

// nonFinite is the number of vectors that are left out of the figures.
func (r *Result) nonFinite() (n int) {
	for i := 0; i < len(r.Sites); i += int(numStages) {
		n += int(r.Sites[i].NonFinite)
	}
	return n
}

// carriers are the norms of one type that read the residual stream, by the
// mean they find in it.
type carriers struct {
	norms, large, slight int
	share, null          moments
	worst                SiteFigures
}

func (c *carriers) add(s SiteFigures) {
	excess := func(s SiteFigures) float64 { return s.Share.Mean - s.Share.Null }
	switch e := excess(s); {
	case e > largeShare:
		c.large++
	case e > slightShare:
		c.slight++
	}
	if c.norms == 0 || excess(s) > excess(c.worst) {
		c.worst = s
	}
	c.norms++
	c.share.Add(s.Share.Mean)
	c.null.Add(s.Share.Null)
}

// judged reports whether the verdict is over norms with this role: not over those
// on queries and keys, nor over norms without a role.
func judged(role string) bool { return role != roleQK && role != "" }

func scenario(r *Result, kind string) (text string, large bool) {
	var c carriers
	for _, s := range r.Sites {
		if s.Stage == stageIn.String() && s.Type == kind && s.Count > 0 && judged(s.Role) {
			c.add(s)
		}
	}
	if c.norms == 0 {
		return "", false
	}
	center := kind == kindOf(true)
	lead, measured := "", "the predictions"
	if len(r.EmbeddingSwap) > 0 {
		measured = "the embeddings"
	}
	unmeasured := len(r.Swap) < 2 && len(r.EmbeddingSwap) < 2
	offset, at := worstOffset(r)
	switch some := fmt.Sprintf("%d of %s", c.large, plain.Count(c.norms, "norm")); {
	case center && c.large > 0 && (harmful(r) || unmeasured):
		lead = "LayerNorm, and a large mean is removed by " + some + ": that is real work, and a naive swap to RMSNorm is not safe, as a fold is where the model admits one."
	case center && c.large > 0:
		lead = "LayerNorm, and a large mean is removed by " + some + ", yet " + measured + " hardly change where RMSNorm leaves it in."
	case center && harmful(r):
		lead = "LayerNorm, and no mean far beyond chance, yet " + measured + " tell that a naive swap to RMSNorm is not safe: the weights behind the norms make much of a small mean."
	case center && unmeasured && offset >= risky:
		lead = fmt.Sprintf("LayerNorm, and no mean far beyond chance, yet by the weights a naive swap to RMSNorm is not safe: what reads %s would get %s of its signal as an offset. What the swap costs was not measured here.", at, plain.Percent(offset))
	case center && unmeasured:
		lead = "LayerNorm, and no mean far beyond chance: by the paper's measure the subtraction is redundant. What a swap costs was not measured here, and the weights behind the norms have a say in it."
	case center:
		lead = "LayerNorm, and no mean far beyond chance: by the paper's measure the subtraction is redundant."
	case c.large > 0:
		lead = "RMSNorm, and a large mean is read by " + some + ", and stays: it is part of what the model computes with."
	default:
		lead = "RMSNorm, and no mean far beyond chance: the vectors stay near the right angle though no norm holds them there, as the paper found."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s The inputs of its norms carry %s of their energy along the uniform vector (random directions: %s), at most %s at %s, with a mean angle of %.2f degrees",
		lead, plain.Percent(c.share.Mean), plain.Percent(c.null.Mean), plain.Percent(c.worst.Share.Mean), c.worst.Site, c.worst.Angle.Mean)
	if a := c.worst.Angle; a.Count > 1 {
		fmt.Fprintf(&b, " (98 %% of the vectors within %.1f degrees of 90, the furthest %.1f off)", max(90-a.P1, a.P99-90), max(90-a.Min, a.Max-90))
	}
	switch {
	case c.slight == 1:
		b.WriteString("; 1 norm finds a slight mean")
	case c.slight > 0:
		fmt.Fprintf(&b, "; %d norms find a slight mean", c.slight)
	case c.large == 0 && c.share.Mean < c.null.Mean/3:
		b.WriteString("; the model keeps its mean below what chance would give")
	}
	b.WriteByte('.')
	if swap, site := worstSwap(r, kind); site != "" {
		fmt.Fprintf(&b, " Exchanging one norm changes its own output by up to %s (%s, mean over tokens; random directions: %s).",
			plain.Percent(swap), site, plain.Percent(NullSwapError(c.worst.Dim)))
	}
	return b.String(), c.large > 0
}

// harmful reports whether an exchange of all norms, the fold aside, was measured to change
// what the model predicts, or its embeddings.
func harmful(r *Result) bool {
	for i, m := range r.Swap {
		if i > 0 && m.harmful(r.Swap[0]) {
			return true
		}
	}
	return slices.ContainsFunc(r.EmbeddingSwap, EmbeddingSwap.harmful)
}

// harmful reports whether the exchange turns the embeddings or changes nearest neighbors much.
func (m EmbeddingSwap) harmful() bool {
	return m.Mode != "rms-folded" && m.Mode != Rounding && m.Texts > 0 && (m.Cosine < 1-turns || m.SameNeighbor < 1-moves)
}

// harmful reports whether the exchange changes the perplexity or the first choices much.
// The fold is no naive exchange: it takes the means out of the weights.
func (m SwapMode) harmful(native SwapMode) bool {
	return m.Mode != "rms-folded" && m.Mode != Rounding && m.Tokens > 0 && (m.Perplexity/native.Perplexity-1 > costly || m.Top1 < 1-moves)
}

// worstOffset is the largest offset of a norm, and its site: what RMSNorm in its place adds
// to the outputs of the matrices that read it, relative to what is there. The root mean
// square of the cosine is that of the energy share.
func worstOffset(r *Result) (worst float64, site string) {
	if r.Causes == nil {
		return 0, ""
	}
	for _, n := range r.Causes.Norms {
		for _, s := range r.Sites {
			if s.Site == n.Site && s.Stage == stageIn.String() && s.Type == kindOf(true) {
				if o := n.Response * math.Sqrt(s.Share.Mean); o > worst {
					worst, site = o, n.Site
				}
			}
		}
	}
	return worst, site
}

// worstSwap is the largest mean of the predicted output change, and its site.
func worstSwap(r *Result, kind string) (worst float64, site string) {
	for i, e := range r.Effects {
		s := r.Sites[i*int(numStages)]
		if s.Type == kind && judged(s.Role) && e.Swap.Count > 0 && e.Swap.Mean >= worst {
			worst, site = e.Swap.Mean, e.Site
		}
	}
	return worst, site
}

// swapped puts the runs with exchanged norms beside the native one, and says where
// they contradict the means; large tells whether there are large ones.
func swapped(modes []SwapMode, large bool) string {
	if len(modes) < 2 {
		return ""
	}
	native := modes[0]
	var out []string
	for _, m := range modes[1:] {
		out = append(out, fmt.Sprintf("%s %#.6g (top-1 agreement %.2f %%, KL %.2g nats per token)", m.Mode, m.Perplexity, 100*m.Top1, m.KL))
	}
	text := fmt.Sprintf("Measured on the logits, all norms exchanged: perplexity %s %#.6g, %s.", native.Mode, native.Perplexity, strings.Join(out, ", "))
	for _, m := range modes[1:] {
		if change := m.Perplexity/native.Perplexity - 1; !large && m.harmful(native) {
			text += fmt.Sprintf(" That does not agree with means so small: %s changes %s of the first choices, and the perplexity by %s.", m.Mode, plain.Percent(1-m.Top1), plain.Percent(change))
		}
	}
	return text
}

// swappedEmbeddings is swapped for an encoder.
func swappedEmbeddings(modes []EmbeddingSwap, large bool) string {
	var out []string
	contradicts := ""
	for _, m := range modes {
		if m.Mode == "native" {
			continue
		}
		out = append(out, fmt.Sprintf("%s has a mean cosine of %.4f with native (%.3f at worst), and %s of the texts keep their nearest neighbor", m.Mode, m.Cosine, m.CosineWorst, plain.Percent(m.SameNeighbor)))
		if !large && m.harmful() && contradicts == "" {
			contradicts = " That does not agree with means so small."
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "Measured on the embeddings, all norms exchanged: " + strings.Join(out, "; ") + "." + contradicts
}
