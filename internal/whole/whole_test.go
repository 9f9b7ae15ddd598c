package whole

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fill writes a set whose files have one text.
func fill(text string, names ...string) func(string) error {
	return func(temp string) error {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(temp, name), []byte(text), 0o666); err != nil {
				return err
			}
		}
		return nil
	}
}

// holds checks what is in a folder: names and texts in turn.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Name(), string(b))
	}
	if !slices.Equal(got, want) {
		t.Errorf("in the folder %q, want %q", got, want)
	}
}

func TestFiles(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b")
	write := func(f func(string) error) error { return Files(t.Context(), dir, "m", f) }
	if err := write(fill("1", "x", "m")); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "m", "1", "x", "1")
	if err := os.WriteFile(filepath.Join(dir, "other"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := write(fill("2", "m", "x", "y")); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "m", "2", "other", "mine", "x", "2", "y", "2")

	// Whatever fails, the folder is as it was.
	failure := errors.New("failure")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for want, err := range map[string]error{
		"failure": write(func(temp string) error { return errors.Join(fill("3", "m", "x")(temp), failure) }),
		"no m":    write(fill("3", "x")),
		"cannot write " + dir + ": no such file or directory": write(fill("3", "no/x", "m")),
		"context canceled": Files(cancelled, dir, "m", fill("3", "m", "x")),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), dir) != 1 || strings.Contains(err.Error(), ".tmp") {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	holds(t, dir, "m", "2", "other", "mine", "x", "2", "y", "2")
	if err := os.Mkdir(filepath.Join(dir, "z"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := write(fill("3", "m", "x", "z")); err == nil || !strings.Contains(err.Error(), "z is a folder") {
		t.Errorf("a folder is replaced: %v", err)
	}
	os.Remove(filepath.Join(dir, "z"))
	holds(t, dir, "m", "2", "other", "mine", "x", "2", "y", "2")
	if err := Files(t.Context(), filepath.Join(dir, "x"), "m", fill("3", "m")); err == nil || !strings.Contains(err.Error(), "a file") {
		t.Errorf("a file for a folder: %v", err)
	}
	slash := filepath.Join(root, "slash") + string(filepath.Separator)
	if err := Files(t.Context(), slash, "m", fill("4", "m", "x")); err != nil {
		t.Error(err)
	}
	holds(t, slash, "m", "4", "x", "4")
	if err := os.RemoveAll(slash); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(root, "fresh")
	if err := Files(t.Context(), fresh, "m", func(string) error { return failure }); !errors.Is(err, failure) {
		t.Error(err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("%v is left over, %v", entries, err)
	}
}
