package report_test

import (
	"log"
	"os"

	"github.com/normswap/normswap/report"
)

// One table, for people and for programs.
func Example() {
	t := report.Table{Columns: []report.Column{
		{Key: "norm", Left: true},
		{Key: "tps", Name: "speed", Unit: "tokens/s", Format: "%.1f"},
	}}
	t.Add("LayerNorm", report.Spread{Mean: 101.25, SD: 1.5})
	t.Add("RMSNorm", report.Spread{Mean: 104, SD: 1.25})
	for _, format := range []report.Format{report.Text, report.CSV} {
		if err := t.Write(os.Stdout, format); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// norm       speed (tokens/s)
	// ─────────  ────────────────
	// LayerNorm       101.2 ± 1.5
	// RMSNorm         104.0 ± 1.2
	// norm,tps,tps_sd
	// LayerNorm,101.25,1.5
	// RMSNorm,104,1.25
}
