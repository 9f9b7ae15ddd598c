package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/normswap/normswap/internal/plain"
	"github.com/schollz/progressbar/v3"
)

// dim makes text grey on stderr where that is a terminal that may have
// colours (https://no-color.org).
func dim(s string) string {
	if !stderr.terminal || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

// note prints a remark of one line on stderr.
func note(format string, args ...any) { noteText(plain.Line(fmt.Sprintf(format, args...))) }

// noteText prints remarks of several lines on stderr.
func noteText(s string) { fmt.Fprintln(stderr.file, dim(plain.Text(s))) }

// A bar shows on stderr how far a task has come, if the task takes long enough to
// wonder: on a terminal as a bar, and else as a line now and then.
type bar struct {
	shown *progressbar.ProgressBar // nil: no terminal
	timer *time.Timer              // nil: nothing is shown

	what, unit string // of lines
	begun      time.Time
	total      int64 // -1: unknown
	count      atomic.Int64

	mu            sync.Mutex
	visible, over bool
}

// patience is how long a task may take without a progress bar.
const patience = 400 * time.Millisecond

// lineEvery is how often a log gets a line.
var lineEvery = time.Minute

const bytesUnit = "B"

// newBar begins a task of total units, -1 if that is unknown.
func newBar(what string, total int64, unit string) *bar {
	b := &bar{what: what, unit: unit, begun: time.Now(), total: total}
	if total == 0 {
		return b
	}
	if !stderr.terminal {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timer = time.AfterFunc(lineEvery, b.line)
		return b
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(writerFunc(b.draw)), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionSetWidth(min(max(screenWidth(stderr)-60, 4), 24)), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(total > 0),
		progressbar.OptionClearOnFinish(),
	}
	if unit == bytesUnit {
		options = append(options, progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit))
	}
	b.shown = progressbar.NewOptions64(total, options...)
	b.timer = time.AfterFunc(patience, func() {
		b.mu.Lock()
		b.visible = !b.over
		b.mu.Unlock()
		_ = b.shown.RenderBlank() // a bar that cannot be drawn is no failure
	})
	return b
}

// line notes how far the task has come.
func (b *bar) line() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	note("%s", b.state(time.Since(b.begun)))
	b.timer.Reset(lineEvery)
}

// state says how far the task has come after some time.
func (b *bar) state(passed time.Duration) string {
	n, total, unit := b.count.Load(), b.total, b.unit
	if unit == bytesUnit {
		n, total, unit = n>>20, total>>20, "MiB"
	}
	if total <= 0 || n == 0 {
		return fmt.Sprintf("%s: %d %s in %s", b.what, n, unit, passed.Round(time.Second))
	}
	left := time.Duration(float64(passed) * float64(total-n) / float64(n))
	return fmt.Sprintf("%s: %d %%, %d of %d %s in %s, about %s left", b.what, 100*n/total, n, total, unit, passed.Round(time.Second), left.Round(time.Second))
}

// draw writes to the terminal while the bar is visible.
func (b *bar) draw(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.visible {
		if _, err := io.WriteString(stderr.file, cut(string(p), screenWidth(stderr)-1)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// cut shortens each line of s to width characters, so that the terminal does
// not wrap what the bar is to overwrite. There is no limit below 1.
func cut(s string, width int) string {
	if width < 1 {
		return s
	}
	column := 0
	return strings.Map(func(r rune) rune {
		switch column++; {
		case r == '\r' || r == '\n':
			column = 0
		case column > width:
			return -1
		}
		return r
	}, s)
}

// add tells that n more units are done.
func (b *bar) add(n int64) {
	b.count.Add(n)
	if b.shown != nil {
		_ = b.shown.Add64(n)
	}
}

// Write counts bytes, for io.MultiWriter.
func (b *bar) Write(p []byte) (int, error) {
	b.add(int64(len(p)))
	return len(p), nil
}

// done removes the bar.
func (b *bar) done() {
	if b.timer == nil {
		return
	}
	b.timer.Stop() // it may be too late for that
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
	if b.shown == nil {
		return
	}
	_ = b.shown.Clear()
	b.mu.Lock()
	b.visible = false
	b.mu.Unlock()
}

// track returns a function for the progress of a library, which a bar shows, and
// one that removes the bar. Both may be called from any goroutine, and progress
// after the end is ignored: work that was given up goes on for a moment. A library
// that begins anew, with less done than before, begins the next of the tasks.
func track(unit string, tasks ...string) (progress func(done, total int64), end func()) {
	var mu sync.Mutex
	var b *bar
	var last int64
	over := false
	progress = func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if b != nil && done < last && len(tasks) > 1 {
			b.done()
			b, tasks = nil, tasks[1:]
		}
		if b == nil {
			b, last = newBar(tasks[0], total, unit), 0
		}
		b.add(done - last)
		last = done
	}
	end = func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		if b != nil {
			b.done()
		}
	}
	return progress, end
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// printJSON writes v on a line.
func printJSON(w io.Writer, v any) error { return plain.WriteJSON(w, v, "") }

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
	case s < 1e-6:
		return threeDigits(s*1e9) + " ns"
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
