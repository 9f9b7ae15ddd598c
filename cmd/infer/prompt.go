package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/normswap/normswap/internal/text"
)

// maxText bounds a text that is read, in bytes. No context has room for so much.
const maxText = 64 << 20

// stdinPatience is how long stdin may say nothing before a remark tells what
// the program is waiting for.
const stdinPatience = time.Second

// await returns what f does, or the error of ctx as soon as that is
// cancelled: not every call can be.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := f()
		done <- outcome{v, err}
	}()
	select {
	case o := <-done:
		return o.v, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// readText reads a file of text, or stdin if the path is "-".
func readText(ctx context.Context, path string) (string, error) {
	return await(ctx, func() (string, error) {
		if path == "-" {
			return readAll(os.Stdin, "stdin")
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if isFolder(path) {
			return "", fmt.Errorf("%s is a folder; -f names a file of text", path)
		}
		return readAll(f, path)
	})
}

// readAll reads what r has, if that is no more than maxText.
func readAll(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > maxText {
		return "", fmt.Errorf("%s is longer than %s, the limit of a text", name, bytesText(maxText))
	}
	if err := text.Check(b); err != nil {
		advice := ""
		if e := (*text.Error)(nil); errors.As(err, &e) && e.IConv != "" {
			advice = "; convert it first: iconv -f " + e.IConv + " -t UTF-8"
		}
		return "", fmt.Errorf("%s: %w%s", name, err, advice)
	}
	return string(b), nil
}

// trimEnd removes the line feed at the end of a prompt, which editors and
// echo put there.
func trimEnd(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

// readStdin reads the text on stdin. It does not stay silent when nothing
// comes; if there is something else to do, it gives up then: many a program
// starts others with an open pipe to which it never writes.
func readStdin(ctx context.Context, orElse bool) (string, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	quiet := time.AfterFunc(stdinPatience, func() {
		if orElse {
			giveUp(errQuiet)
			return
		}
		note("waiting for a text on stdin")
	})
	defer quiet.Stop()
	text, err := await(ctx, func() (string, error) {
		return readAll(afterRead{os.Stdin, func() { quiet.Stop() }}, "stdin")
	})
	if context.Cause(ctx) == errQuiet {
		note("nothing comes from stdin, so it is left alone (-f - waits for it)")
		return "", nil
	}
	return text, err
}

var errQuiet = fmt.Errorf("stdin is quiet")

// afterRead calls then after every read.
type afterRead struct {
	r    io.Reader
	then func()
}

func (a afterRead) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	a.then()
	return n, err
}
