package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// dim makes text grey on stderr where that is a terminal that may have
// colours (https://no-color.org).
func dim(s string) string {
	if !isTerminal(os.Stderr) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

// note prints a remark on stderr.
func note(format string, args ...any) {
	fmt.Fprintln(os.Stderr, dim(oneLine(fmt.Sprintf(format, args...))))
}

// plainText returns a writer for text that a model or a file made up. On a
// terminal it drops the control characters, which could do anything to it.
func plainText(f *os.File) io.Writer {
	if !isTerminal(f) {
		return f
	}
	return plainWriter{f}
}

type plainWriter struct{ w io.Writer }

func (p plainWriter) Write(b []byte) (int, error) {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, string(b))
	if _, err := io.WriteString(p.w, kept); err != nil {
		return 0, err
	}
	return len(b), nil
}

// A bar shows on stderr how far a task has come, if that is a terminal and
// the task takes long enough to wonder.
type bar struct {
	shown *progressbar.ProgressBar
	start time.Time
	count int64
}

// patience is how long a task may take without a progress bar.
const patience = 400 * time.Millisecond

const bytesUnit = "B"

// newBar begins a task of total units, -1 if nobody knows.
func newBar(what string, total int64, unit string) *bar {
	b := &bar{start: time.Now()}
	if !isTerminal(os.Stderr) {
		return b
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(24), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(total > 0),
	}
	if unit == bytesUnit {
		options = append(options, progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit))
	}
	b.shown = progressbar.NewOptions64(total, options...)
	return b
}

// add tells that n more units are done.
func (b *bar) add(n int64) {
	b.count += n
	if b.shown != nil && time.Since(b.start) > patience {
		_ = b.shown.Set64(b.count) // a bar that cannot be drawn is no failure
	}
}

// Write counts bytes, for io.MultiWriter.
func (b *bar) Write(p []byte) (int, error) {
	b.add(int64(len(p)))
	return len(p), nil
}

// done removes the bar.
func (b *bar) done() {
	if b.shown != nil && time.Since(b.start) > patience {
		_ = b.shown.Clear()
	}
}

// bytesText writes a number of bytes for people.
func bytesText(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for n >= 1024 && i+1 < len(units) {
		n /= 1024
		i++
	}
	return threeDigits(n) + " " + units[i]
}

// countText writes a number of weights for people.
func countText(n float64) string {
	units := []string{"", " thousand", " million", " billion", " trillion"}
	i := 0
	for n >= 1000 && i+1 < len(units) {
		n /= 1000
		i++
	}
	return threeDigits(n) + units[i]
}

// durationText writes seconds for people.
func durationText(s float64) string {
	switch {
	case s < 1e-3:
		return threeDigits(s*1e6) + " µs"
	case s < 1:
		return threeDigits(s*1e3) + " ms"
	}
	return threeDigits(s) + " s"
}

// threeDigits writes x to three digits, and whole numbers as such.
func threeDigits(x float64) string {
	switch {
	case x == math.Trunc(x) || x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
