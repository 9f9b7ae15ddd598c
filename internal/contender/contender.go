// Package contender times programs that stand beside each other: each is a process of
// its own, loads what it needs, and then waits; a line on its stdin has it run once, and
// it answers with a line of numbers.
package contender

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A Contender is a program that waits to be timed.
type Contender struct {
	Name string

	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
}

// Start starts a program and waits until it is ready: it prints a line of n numbers then,
// which are returned.
func Start(name string, n int, program string, args ...string) (*Contender, []float64, error) {
	c := &Contender{Name: name, cmd: exec.Command(program, args...)}
	c.cmd.Stderr = &c.stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		return nil, nil, err
	}
	numbers, err := c.read(n)
	if err != nil {
		c.in.Close()
		return nil, nil, err
	}
	return c, numbers, nil
}

// Ask sends a line, and returns the n numbers of the answer.
func (c *Contender) Ask(line string, n int) ([]float64, error) {
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	return c.read(n)
}

// Close has the program end, and waits for it.
func (c *Contender) Close() error {
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

// read reads a line of n numbers.
func (c *Contender) read(n int) ([]float64, error) {
	if !c.out.Scan() {
		_ = c.cmd.Wait() // its stderr says more
		lines := strings.Split(strings.TrimSpace(c.stderr.String()), "\n")
		return nil, fmt.Errorf("%s ended early: %s", c.Name, lines[len(lines)-1])
	}
	var numbers []float64
	for word := range strings.FieldsSeq(c.out.Text()) {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%s prints %q, not numbers", c.Name, c.out.Text())
		}
		numbers = append(numbers, x)
	}
	if len(numbers) != n {
		return nil, fmt.Errorf("%s prints %q, not %d numbers", c.Name, c.out.Text(), n)
	}
	return numbers, nil
}

// Serve is the other side: it prints the numbers of a program that is ready, and then for
// each line on stdin those that answer returns.
func Serve(ready []float64, answer func(line string) ([]float64, error)) error {
	say(ready)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		numbers, err := answer(lines.Text())
		if err != nil {
			return err
		}
		say(numbers)
	}
	return lines.Err()
}

func say(numbers []float64) { fmt.Println(strings.Trim(fmt.Sprint(numbers), "[]")) }

// Rounds has all run in turn: each round begins with another one. What run returns is
// handed back by contender and round.
func Rounds(all []*Contender, rounds int, run func(c *Contender) ([]float64, error)) ([][][]float64, error) {
	results := make([][][]float64, len(all))
	for round := range rounds {
		for i := range all {
			at := (i + round) % len(all)
			numbers, err := run(all[at])
			if err != nil {
				return nil, err
			}
			results[at] = append(results[at], numbers)
		}
	}
	return results, nil
}

// Ratio returns the median of a[i] / b[i], the smallest and the largest.
func Ratio(a, b []float64) (median, low, high float64) {
	r := make([]float64, len(a))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return Median(r), slices.Min(r), slices.Max(r)
}

// Median returns the median of values, of which there is one at least.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
