package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/engine"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is the caller's mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// flagError says what is wrong with a flag, and what may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	isUnknown, isInvalid := errors.As(err, &unknown), errors.As(err, &invalid)
	if flag, here := otherFlag(unknown, invalid); here != "" {
		return usagef("unknown flag %s; here: %s", flag, here)
	}
	switch {
	case isUnknown:
		name := unknown.GetSpecifiedName()
		if near := nearestFlag(cmd, name); near != "" && unknown.GetSpecifiedShortnames() == "" {
			return usagef("unknown flag --%s; did you mean --%s?", name, near)
		}
		return usagef("%v; see %s --help", err, cmd.CommandPath())
	case isInvalid:
		f := invalid.GetFlag()
		why := invalid.Unwrap()
		if errors.Is(why, strconv.ErrSyntax) {
			why = fmt.Errorf("not a number")
			if strings.Contains(f.Value.Type(), "int") {
				why = fmt.Errorf("not a whole number")
			}
		} else if errors.Is(why, strconv.ErrRange) {
			why = fmt.Errorf("out of range")
		}
		return usagef("--%s %s: %v", f.Name, invalid.GetValue(), why)
	}
	return usagef("%v; see %s --help", err, cmd.CommandPath())
}

// nearestFlag returns the flag that a misspelt name resembles most, or "".
func nearestFlag(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return nearest(name, names)
}

// nearest returns the name that word resembles most: one that it begins or
// that begins it, or within two changes of a letter.
func nearest(word string, names []string) string {
	best, found := 3, ""
	for _, n := range names {
		d := distance(word, n)
		if len(word) > 1 && len(n) > 1 && (strings.HasPrefix(n, word) || strings.HasPrefix(word, n)) {
			d = min(d, 1)
		}
		if d < best && d < len(word) {
			best, found = d, n
		}
	}
	return found
}

// distance is the number of letters to change, add or drop (Levenshtein
// 1966) that make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// checkMode tells what is wrong with an item of a list of norm modes.
func checkMode(flag, s string) error {
	var n normFlag
	if err := n.Set(s); err != nil {
		return usagef("--%s %s: %w", flag, s, err)
	}
	return nil
}

func modeNames() (names []string) {
	for _, m := range engine.NormModes {
		names = append(names, string(m))
	}
	return names
}

// completeList completes a list of words with commas between.
func completeList(words ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		before := word[:strings.LastIndexByte(word, ',')+1]
		var all []string
		for _, w := range words {
			if !slices.Contains(strings.Split(before, ","), w) {
				all = append(all, before+w)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// exactArgs requires one argument for each name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s needs %s; see %s --help", cmd.Name(), names[len(args)], cmd.CommandPath())
		case len(args) > len(names):
			return usagef("%s: unexpected argument %q; see %s --help", cmd.Name(), args[len(names)], cmd.CommandPath())
		}
		return nil
	}
}

// A choice is a flag whose value is one of a few words, in either case.
type choice struct {
	value   string
	choices []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.choices, "|") }

func (c *choice) Set(s string) error {
	i := slices.IndexFunc(c.choices, func(w string) bool { return strings.EqualFold(w, s) })
	if i < 0 {
		if near := nearest(strings.ToLower(s), c.choices); near != "" {
			return fmt.Errorf("did you mean %s? choose from %s", near, strings.Join(c.choices, ", "))
		}
		return fmt.Errorf("choose from %s", strings.Join(c.choices, ", "))
	}
	c.value = c.choices[i]
	return nil
}

// A seedFlag is the seed of random numbers; -1 stands for another one each time,
// as in llama.cpp.
type seedFlag uint64

// randomSeed is short enough to be typed again.
func randomSeed() uint64 { return uint64(rand.Uint32()) }

func (s *seedFlag) String() string { return "" } // the usage says what the default is
func (s *seedFlag) Type() string   { return "seed" }

func (s *seedFlag) Set(text string) error {
	if text == "-1" {
		*s = seedFlag(randomSeed())
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return errors.New("want a whole number from 0 to 18446744073709551615, or -1 for another one each time")
	}
	*s = seedFlag(n)
	return nil
}

// addChoice adds a flag for one of several words, with completion. An empty
// initial value leaves the flag unset.
func addChoice(cmd *cobra.Command, c *choice, name, initial, usage string, choices ...string) {
	*c = choice{initial, choices}
	cmd.Flags().Var(c, name, usage)
	// The only error is a flag registered twice.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp))
}

// addFormat adds the flags that say how a table is written: --format, of which
// the first is what people read, and --json for --format json.
func addFormat(cmd *cobra.Command, c *choice, note string, formats ...string) {
	addChoice(cmd, c, "format", formats[0], "format of the table"+note, formats...)
	cmd.Flags().BoolFunc("json", "print JSON; the same as --format json", func(string) error { return c.Set("json") })
}
