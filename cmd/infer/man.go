package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Print the manual page",
		Example: "  infer man | man -l -\n  infer man > /usr/local/share/man/man1/infer.1",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var page strings.Builder
			writeMan(&page, cmd.Root())
			_, err := io.WriteString(stdout, page.String())
			return err
		},
	}
}

// writeMan writes the manual page of a command and those below it, in roff
// with the man macros (man 7 man).
func writeMan(w *strings.Builder, root *cobra.Command) {
	name := root.Name()
	fmt.Fprintf(w, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", strings.ToUpper(name), name, roff(root.Short))
	commands := root.Commands()
	for _, c := range append([]*cobra.Command{root}, commands...) {
		if c.IsAvailableCommand() || c == root {
			fmt.Fprintf(w, ".B %s\n.br\n", roff(c.UseLine()))
		}
	}
	fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n.SH OPTIONS\n", roff(root.Long))
	manFlags(w, root)
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range commands {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(strings.TrimPrefix(c.UseLine(), name+" ")), roff(text))
		manFlags(w, c)
		manExample(w, c)
	}
	fmt.Fprint(w, ".SH EXAMPLES\n")
	manExample(w, root)
}

func manFlags(w *strings.Builder, c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		names := "--" + f.Name
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + ", " + names
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, ".TP\n\\fB%s\\fR %s\n%s\n", roff(names), roff(value), roff(usage))
	})
}

func manExample(w *strings.Builder, c *cobra.Command) {
	if c.Example != "" {
		fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(c.Example))
	}
}

// roff quotes what roff would take for its own, and makes paragraphs of
// blocks of text.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n\n", "\n.PP\n").Replace(strings.TrimRight(s, "\n"))
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && line != ".PP" {
			line = `\&` + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
