package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/normswap/normswap/internal/bench"
	"github.com/normswap/normswap/internal/licenses"
	"github.com/normswap/normswap/ops"
	"github.com/spf13/cobra"
)

// What the linker sets for a release (./release); else the build knows where
// it was made in a clone.
var version, commit string

// build says which program this is and what it can use.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Kernels  string `json:"kernels"` // instruction set
	CPUs     int    `json:"cpus"`

	CPU  string            `json:"cpu,omitempty"`     // with -v
	Rows map[string]string `json:"one_row,omitempty"` // instruction sets of the products with one row, by type of weights
}

func newVersion() *cobra.Command {
	var asJSON, notice, verbose bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which kernels run on this machine",
		Long: `version prints the version, and the best instruction set in use.

With -v it also prints which instruction set multiplies weights of each type
with one row, as each generated token does. That is bound by memory, and the
widest is not always the fastest there: it is measured, a few milliseconds for
each type, when a model has weights of it. All give the same bits. ` + ops.EnvISA + `
names an instruction set for all, and nothing is measured.`,
		Example: "  infer version -v\n  infer version --licenses\n  NORMSWAP_ISA=generic infer version",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if notice && asJSON {
				return usagef("--licenses prints text, and takes no --json")
			}
			if notice {
				_, err := fmt.Fprint(stdout, licenses.Notice)
				return err
			}
			b := readBuild()
			if verbose {
				b.readKernels()
			}
			if asJSON {
				return printJSON(stdout, b)
			}
			_, err := fmt.Fprint(stdout, b, "\n", b.kernels())
			return err
		},
	}
	addJSON(cmd, &asJSON)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print the processor, and what multiplies weights of each type")
	cmd.Flags().BoolVar(&notice, "licenses", false, "print what the program is made of, with the licenses")
	return cmd
}

func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernels: ops.ISA(), CPUs: runtime.NumCPU()}
	if version != "" {
		b.Version, b.Commit = version, commit
		return b
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	commit := b.Commit
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if commit != "" {
		commit = ", commit " + commit
	}
	if b.Modified {
		commit += " and changes"
	}
	return fmt.Sprintf("infer %s%s, %s, %s/%s, %s kernels, %d CPUs", b.Version, commit, b.Go, b.OS, b.Arch, b.Kernels, b.CPUs)
}

// readKernels finds out what multiplies weights of each type with one row.
func (b *build) readKernels() {
	b.CPU, b.Rows = bench.CPU(), map[string]string{}
	for _, t := range ops.WeightTypes() {
		b.Rows[t.String()] = ops.RowISA(t)
	}
}

// kernels returns what readKernels found in lines, none if it did not run.
func (b build) kernels() string {
	if b.Rows == nil {
		return ""
	}
	text := b.CPU + "\nproducts with one row:\n"
	for _, isa := range ops.ISAs() {
		var names []string
		for _, t := range ops.WeightTypes() {
			if b.Rows[t.String()] == isa {
				names = append(names, t.String())
			}
		}
		if names != nil {
			text += fmt.Sprintf("  %-8s %s\n", isa, strings.Join(names, " "))
		}
	}
	return text + "all else: " + b.Kernels + "\n"
}
