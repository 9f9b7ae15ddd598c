package main

import (
	"os"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

func newArchs() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "archs",
		Short:   "List the architectures that can be run",
		Example: "  infer archs\n  infer archs --json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			t := report.Table{Columns: []report.Column{
				{Key: "architecture", Left: true}, {Key: "norm", Left: true}, {Key: "block", Left: true},
				{Key: "position", Left: true}, {Key: "ffn", Left: true},
			}}
			for _, s := range arch.All() {
				t.Add(s.Name, s.Norm.String(), blockText(s), positionText(s), ffnText(s))
			}
			return t.Write(os.Stdout, tableFormat(asJSON))
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

func addJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}

func tableFormat(asJSON bool) report.Format {
	if asJSON {
		return report.JSON
	}
	return report.Text
}

func blockText(s *arch.Spec) string {
	form := map[arch.Form]string{
		arch.Sequential: "sequential",
		arch.Parallel:   "parallel",
		arch.Keyed:      "parallel or sequential",
		arch.PostNorm:   "post-norm (not run)",
	}[s.Form]
	if s.Form == arch.Sequential && s.FFNNorm.May {
		form = "sequential or parallel"
	}
	var also []string
	if s.QKNorm != arch.Absent {
		also = append(also, "QK-norm")
	}
	if s.AttnPost.Name != "" || s.FFNPost.Name != "" {
		also = append(also, "branch norms")
	}
	if s.EmbedNorm.Name != "" && s.Form != arch.PostNorm {
		also = append(also, "embedding norm")
	}
	if s.AttnNorm.Name == "" && s.Form != arch.PostNorm {
		also = append(also, "no norm before")
	}
	return strings.Join(append([]string{form}, also...), ", ")
}

func positionText(s *arch.Spec) string {
	var all []string
	switch s.Rotary {
	case arch.HalfSplit:
		all = append(all, "RoPE, halves")
	case arch.Pairwise:
		all = append(all, "RoPE, pairs")
	}
	if s.Positions == arch.Required {
		all = append(all, "learned")
	} else if s.Positions == arch.Optional {
		all = append(all, "learned (may be)")
	}
	if s.ALiBi == arch.Required {
		all = append(all, "ALiBi")
	} else if s.ALiBi == arch.Optional {
		all = append(all, "ALiBi (may be)")
	}
	if s.Window > 0 {
		all = append(all, "windows")
	}
	return strings.Join(all, ", ")
}

func ffnText(s *arch.Spec) string {
	text := s.Activation.String()
	if s.Gating != arch.Plain {
		text = map[arch.Activation]string{arch.GELU: "GeGLU", arch.SiLU: "SwiGLU"}[s.Activation]
	}
	if s.Experts == arch.Required {
		text += ", experts"
	} else if s.Experts == arch.Optional {
		text += ", experts (may be)"
	}
	return text
}
