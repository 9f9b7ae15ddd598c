package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

func newArchs() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "archs",
		Short:   "List the architectures that can be run, and which can be folded",
		Example: "  infer archs\n  infer archs --json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			t := report.Table{Width: screenWidth(stdout), Columns: []report.Column{
				{Key: "architecture", Left: true}, {Key: "models", Left: true}, {Key: "norm", Left: true},
				{Key: "fold", Left: true}, {Key: "file", Name: "folded file", Left: true},
				{Key: "block", Left: true}, {Key: "position", Left: true}, {Key: "ffn", Left: true},
			}}
			reasons := map[string]string{}
			for _, s := range arch.All() {
				f := foldabilityOf(s)
				t.Add(s.Name, s.Known, s.Norm.String(), f.verdict, f.file, blockText(s), positionText(s), ffnText(s))
				reasons[s.Name] = f.reason
			}
			if asJSON {
				t.Columns = append(t.Columns, report.Column{Key: "fold_reason"})
				for i, row := range t.Rows {
					t.Rows[i] = append(row, reasons[row[0].(string)])
				}
			} else {
				t.Notes = reasonNotes(reasons)
			}
			return writeTable(stdout, &t, tableFormat(asJSON))
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

// foldability tells whether and how an architecture can be folded.
type foldability struct {
	verdict string // yes, no or not needed
	file    string // the architectures that a folded file may have
	reason  string // why there is no fold, or no file under its own name
}

func foldabilityOf(s *arch.Spec) foldability {
	routes := s.Exports
	inFile := fold.RefuseFile(s)
	f := foldability{verdict: "yes"}
	var refusal *fold.Refusal
	switch err := fold.Refuse(s); {
	case errors.Is(err, fold.ErrNothing):
		f.verdict = "not needed"
	case errors.As(err, &refusal):
		f.verdict = "no"
	}
	if errors.As(inFile, &refusal) {
		f.reason = refusal.Reason
	}
	if inFile == nil {
		routes = append([]string{s.Name}, routes...)
	}
	f.file = strings.Join(routes, ", ")
	return f
}

// reasonNotes lists the reasons, each with the architectures that it is of.
func reasonNotes(reasons map[string]string) []string {
	names := map[string][]string{}
	for name, why := range reasons {
		if why != "" {
			names[why] = append(names[why], name)
		}
	}
	var notes []string
	for why, list := range names {
		slices.Sort(list)
		notes = append(notes, fmt.Sprintf("%s: %s", strings.Join(list, ", "), why))
	}
	slices.Sort(notes)
	return append([]string{""}, notes...)
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
		arch.Sequential:    "sequential",
		arch.Parallel:      "parallel",
		arch.ParallelByKey: "parallel or sequential",
		arch.PostNorm:      "post-norm",
	}[s.Form]
	if s.Form == arch.Sequential && s.FFNNorm.Optional {
		form = "sequential or parallel"
	}
	var also []string
	if s.Encoder {
		also = append(also, "encoder")
	}
	if s.Recurrence != arch.NoRecurrence {
		also = append(also, s.Recurrence.String())
	}
	if s.AltUp != nil {
		also = append(also, "AltUp")
	}
	if s.QKNorm != arch.Absent {
		also = append(also, "QK-norm")
	}
	if s.AttnPost.Name != "" || s.FFNPost.Name != "" {
		also = append(also, "branch norms")
	}
	if s.EmbedNorm.Name != "" {
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
	if s.WindowPeriod > 0 {
		all = append(all, "windows")
	}
	return strings.Join(all, ", ")
}

func ffnText(s *arch.Spec) string {
	text := s.Activation.String()
	if s.Gating != arch.Plain {
		text = map[arch.Activation]string{arch.GELU: "GeGLU", arch.GELUErf: "GeGLU (erf)", arch.SiLU: "SwiGLU", arch.ClampedSiLU: "SwiGLU, clamped"}[s.Activation]
	}
	if s.Gating == arch.AnyGate {
		text += " or " + s.Activation.String()
	}
	if s.Experts == arch.Required {
		text += ", experts"
	} else if s.Experts == arch.Optional {
		text += ", experts (may be)"
	}
	return text
}
