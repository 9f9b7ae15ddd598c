// Command infer runs GGUF models on the CPU, and shows what their norms do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/ops"
	"github.com/spf13/cobra"
)

// grace is how long what was interrupted may take to end: most commands a moment,
// a server longer.
var grace atomic.Int64

func init() { grace.Store(int64(700 * time.Millisecond)) }

// The exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as a shell reports a program that Ctrl-C ended
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // the second Ctrl-C ends the program at once
		// Not every call ends when it is cancelled, such as a write that nobody reads.
		time.AfterFunc(time.Duration(grace.Load()), func() {
			if stderr.terminal {
				fmt.Fprint(stderr.file, "\r\x1b[K") // in place of a progress bar
			}
			os.Exit(exit(stderr, context.Canceled))
		})
	})
	root := newRoot()
	root.SetOut(stdout)
	root.SetErr(stderr)
	os.Exit(exit(stderr, root.ExecuteContext(ctx)))
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
	fmt.Fprintln(stderr, "infer:", plain.Line(err.Error()+advice(err)))
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// newRoot makes the command with all its subcommands.
func newRoot() *cobra.Command {
	root := newRun()
	root.AddCommand(
		newPull(), newList(),
		newInspect(), newTokenize(), newTemplate(), newLogits(),
		newChat(), newEmbed(), newRerank(), newServe(),
		newFold(), newConvert(), newCompare(), newPerplexity(), newScore(),
		newSweep(), newCalibrate(), newDimensions(),
		newGeometry(), newStates(), newMerge(),
		newBench(), newSynth(),
		newArchs(), newVersion(), newMan(),
	)
	root.SetHelpCommand(newHelp())
	root.SetHelpFunc(writeHelp)
	root.InitDefaultHelpCmd()
	newCompletion(root)
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		writeUsage(stdout, cmd)
		return nil
	})
	setup(root)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if err := ops.SelectISA(""); err != nil { // a wrong NORMSWAP_ISA
			return usagef("%w", err)
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
