package geometry

import (
	"fmt"
	"strings"
)

// A site carries a large mean when the share of energy along 1 exceeds that
// of a random direction by more than sin^2 of 10 degrees, and a slight one
// beyond sin^2 of 5 degrees. The paper's exception, GPT-2 XL at 101.5
// degrees, is large by this measure; its other models are not even slight.
const (
	largeShare  = 0.030153689607045807 // sin^2(10 deg)
	slightShare = 0.007596123493895969 // sin^2(5 deg)
)

// verdict says in words which of the paper's scenarios the figures show.
func verdict(r *Result) string {
	var parts []string
	for _, t := range []Type{LayerNorm, RMSNorm} {
		if s := scenario(r, t); s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return "No norm of a block or of the output was measured: no verdict."
	}
	return strings.Join(parts, " ")
}

func scenario(r *Result, t Type) string {
	var norms, large, slight int
	var share, null Moments
	var worst SiteFigures
	for _, s := range r.Sites {
		if s.Stage != In.String() || s.Type != t || s.Count == 0 || s.Role == QK || s.Role == Other {
			continue
		}
		norms++
		excess := s.Share.Mean - s.Share.Null
		switch {
		case excess > largeShare:
			large++
		case excess > slightShare:
			slight++
		}
		if excess > worst.Share.Mean-worst.Share.Null || norms == 1 {
			worst = s
		}
		share.Add(s.Share.Mean)
		null.Add(s.Share.Null)
	}
	if norms == 0 {
		return ""
	}
	name, scene, holds, fails := "LayerNorm", "a large mean that the norm removes",
		"Removing it is real work, and a naive swap to RMSNorm is not safe here; a fold is.",
		"Removing the mean is redundant by the paper's measure."
	if t == RMSNorm {
		name, scene, holds, fails = "RMSNorm", "a large mean that stays",
			"The mean is part of what the model computes with.",
			"The model keeps its vectors near the right angle without a norm that enforces it, as the paper found."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d norms: their inputs carry %.3g %% of their energy along the uniform vector (random directions: %.3g %%), most at %s with %.3g %% and a mean angle of %.2f degrees. ",
		name, norms, 100*share.Mean, 100*null.Mean, worst.Site, 100*worst.Share.Mean, worst.Angle.Mean)
	switch {
	case large > 0:
		fmt.Fprintf(&b, "The paper's scenario, %s, holds at %d of them. %s", scene, large, holds)
	case slight > 0:
		fmt.Fprintf(&b, "The paper's scenario, %s, holds nowhere; %d of them carry a slight one. %s", scene, slight, fails)
	default:
		fmt.Fprintf(&b, "The paper's scenario, %s, holds nowhere. %s", scene, fails)
	}
	if swap, site := worstSwap(r, t); site != "" {
		fmt.Fprintf(&b, " Exchanging the norm would change its output by %.2g %% on average at %s, the most of all sites.", 100*swap, site)
	}
	return b.String()
}

func worstSwap(r *Result, t Type) (worst float64, site string) {
	for i, e := range r.Effects {
		s := r.Sites[i*int(numStages)]
		if s.Type == t && s.Role != QK && s.Role != Other && e.Swap.Count > 0 && e.Swap.Mean >= worst {
			worst, site = e.Swap.Mean, e.Site
		}
	}
	return worst, site
}
