// Command licenses lists what the program infer is made of beside this
// repository's own code, with the license of each part:
//
//	licenses -o FILE      the names and the full texts, for every platform of a release
//	licenses -sbom ...    a CycloneDX list of one platform's binary
//
// A part without a license file, or with a license that is not among those
// that are allowed, is an error. It runs in its own folder of the repository.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// platforms are those of a release.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("o", "", "the `file` to write")
	sbom := flag.Bool("sbom", false, "write a CycloneDX list of one binary instead of the texts")
	var b binary
	flag.StringVar(&b.version, "version", "", "the binary's `version`")
	flag.StringVar(&b.time, "time", "", "the commit's `time`, as RFC 3339 has it")
	flag.StringVar(&b.platform, "platform", "", "the binary's `os/arch`")
	flag.Parse()
	if flag.NArg() > 0 || *out == "" || *sbom != (b.version != "" && b.time != "" && b.platform != "") {
		return fmt.Errorf("usage: licenses -o FILE [-sbom -version V -time T -platform OS/ARCH]")
	}
	write, on := notice, platforms
	if *sbom {
		write, on = b.bom, []string{b.platform}
	}
	parts, err := collect(on)
	if err != nil {
		return err
	}
	text, err := write(parts)
	if err != nil {
		return err
	}
	return os.WriteFile(*out, text, 0o666)
}

// notice returns the names and licenses of all parts, then the texts.
func notice(parts []part) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprint(&b, "infer contains the software and data listed here. The license texts follow.\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range parts {
		fmt.Fprintf(w, "%s\t%s\n", p, p.license())
	}
	w.Flush()
	for _, p := range parts {
		fmt.Fprintf(&b, "\n\n%s\n", strings.ToUpper(p.String()))
		for _, t := range p.texts {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(strings.ReplaceAll(t, "\r\n", "\n")))
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t\f")
	}
	return []byte(strings.Join(lines, "\n")), nil
}

func (p part) String() string { return strings.TrimSpace(p.name + " " + p.version) }

// license returns the SPDX expression of all licenses that hold for the part.
func (p part) license() string {
	ids := slices.Compact(slices.Sorted(slices.Values(p.ids)))
	return strings.Join(ids, " AND ")
}
