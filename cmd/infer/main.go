// Command infer runs GGUF models on the CPU, and shows what their norms do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/normswap/normswap/ops/asm"
	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as a shell reports a program that Ctrl-C ended
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once
	err := newRoot().ExecuteContext(ctx)
	os.Exit(exit(os.Stderr, err))
}

// exit prints the one line that an error gets and returns the exit code.
func exit(stderr io.Writer, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE): // the reader of the output has closed it
		return exitFailed
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "infer: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(stderr, "infer:", oneLine(err.Error()+advice(err)))
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// oneLine removes what would break the line or move the cursor: an error may
// quote a file that a stranger wrote.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// newRoot makes the command with all its subcommands.
func newRoot() *cobra.Command {
	root := newRun()
	root.AddCommand(newInspect(), newTokenize(), newTemplate(), newLogits(), newFold(), newCompare(), newPerplexity(), newGeometry(), newStates(),
		newMerge(), newSynth(), newBench(), newArchs(), newVersion(), newMan())
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	newCompletion(root)
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		writeUsage(cmd.OutOrStdout(), cmd)
		return nil
	})
	setup(root)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		isa := os.Getenv(asm.EnvISA)
		if isa == "" {
			return nil
		}
		if err := asm.Select(isa); err != nil {
			return usagef("%s=%s: %w", asm.EnvISA, isa, err)
		}
		return nil
	}
	return root
}

// setup gives a command and those below it what all have in common.
func setup(cmd *cobra.Command) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.DisableFlagsInUseLine = true
	cmd.Flags().SortFlags = false
	cmd.SetFlagErrorFunc(flagError)
	for _, sub := range cmd.Commands() {
		setup(sub)
	}
}
