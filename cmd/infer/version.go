package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

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
}

func newVersion() *cobra.Command {
	var asJSON, notice bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and which kernels run on this machine",
		Example: "  infer version\n  infer version --licenses\n  NORMSWAP_ISA=generic infer version",
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
			if asJSON {
				return printJSON(stdout, b)
			}
			_, err := fmt.Fprintln(stdout, b)
			return err
		},
	}
	addJSON(cmd, &asJSON)
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
