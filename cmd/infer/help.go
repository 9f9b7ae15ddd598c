package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

// topics are the headings under which help lists the commands.
var topics = []struct{ title, commands string }{
	{"Talk", "chat"},
	{"Get models", "pull list"},
	{"Look into a model", "inspect tokenize template logits"},
	{"Texts as vectors", "embed rerank"},
	{"Serve programs", "serve"},
	{"Swap norms", "fold convert compare perplexity score"},
	{"Which norms matter, and what may replace them", "sweep calibrate dimensions"},
	{"What norms do to hidden vectors", "geometry states merge"},
	{"Speed", "bench synth"},
	{"This program", "archs version man completion help"},
}

// writeHelp writes what --help shows.
func writeHelp(cmd *cobra.Command, _ []string) {
	if text := cmp.Or(cmd.Long, cmd.Short); text != "" {
		fmt.Fprintf(stdout, "%s\n\n", reflow(text, helpWidth(stdout)))
	}
	writeUsage(stdout, cmd)
}

// reflow breaks the lines of a text anew, but those of paragraphs with a line that is
// indented.
func reflow(text string, width int) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = report.Wrap(strings.ReplaceAll(p, "\n", " "), width)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// writeUsage writes what --help shows below the description of a command.
func writeUsage(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintf(w, "Usage:\n  %s\n", cmd.UseLine())
	if !cmd.HasParent() {
		fmt.Fprintf(w, "  %s COMMAND\n", cmd.Name())
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	line := func(c *cobra.Command) { fmt.Fprintf(w, "  %-*s  %s\n", cmd.NamePadding(), c.Name(), c.Short) }
	switch {
	case !cmd.HasParent():
		for _, t := range topics {
			fmt.Fprintf(w, "\n%s:\n", t.title)
			for name := range strings.FieldsSeq(t.commands) {
				if c, _, err := cmd.Find([]string{name}); err == nil && c != cmd {
					line(c)
				}
			}
		}
	case cmd.HasAvailableSubCommands():
		fmt.Fprint(w, "\nCommands:\n")
		for _, c := range cmd.Commands() {
			line(c)
		}
	}
	fmt.Fprintf(w, "\nFlags:\n%s", cmd.LocalFlags().FlagUsagesWrapped(helpWidth(w)))
	if !cmd.HasParent() {
		fmt.Fprintf(w, "\n%s COMMAND --help tells more about a command.\n", cmd.Name())
	}
}

// helpWidth is the width of help: that of the terminal, within reason.
func helpWidth(w io.Writer) int {
	const usual, most = 80, 110
	if n := screenWidth(w); n > 0 {
		return min(n, most)
	}
	return usual
}

// newHelp is "infer help COMMAND".
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		Example: "  infer help fold",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range cmd.Root().Commands() {
				if len(args) == 0 && !c.Hidden && strings.HasPrefix(c.Name(), word) {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.Root()
			for _, name := range args {
				sub, _, err := at.Find([]string{name})
				if err != nil || sub == at {
					return usagef("there is no command %q; infer --help lists them", strings.Join(args, " "))
				}
				at = sub
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}

// newCompletion is cobra's command with an example and an error for unknown
// shells.
func newCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	cmd, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic(err) // it was made above
	}
	cmd.Use, cmd.Short = "completion SHELL", "Print what makes a shell complete commands, models and norm modes"
	cmd.Long = "completion prints a script for bash, zsh, fish or PowerShell;\ninfer completion SHELL --help says where to put it."
	cmd.Example = "  source <(infer completion bash)\n  infer completion fish > ~/.config/fish/completions/infer.fish"
	cmd.Args = nil
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return usagef("no completion for %q; there is one for bash, zsh, fish and powershell", args[0])
	}
}
