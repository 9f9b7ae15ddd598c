// Package whole writes sets of files so that a set is whole, or as it was before.
package whole

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Files makes a set of files in the folder dir. Write gets an empty folder to
// fill; its files then take their places in dir, which is made if it is not there.
// One of them is the manifest, last: as long as it lies in dir, the files of the
// set beside it belong to it. Other files in dir stay.
//
// An error, a full disk or a cancelled ctx leaves dir as it was. A process that is
// killed leaves the old set, the new one, or one without its manifest, and perhaps
// a folder whose name ends in .tmp. Errors name dir, and no temporary file.
func Files(ctx context.Context, dir, last string, write func(temp string) error) (err error) {
	dir = filepath.Clean(dir)
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write %s: %w", dir, withoutPath(err))
		}
	}()
	parent, replace := dir, true
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		parent, replace = filepath.Dir(dir), false
		if err := os.MkdirAll(parent, 0o777); err != nil {
			return err
		}
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("it is a file, not a folder")
	}
	// Not os.MkdirTemp: its folders are for the owner alone.
	temp := filepath.Join(parent, fmt.Sprintf(".%08x.tmp", rand.Uint32()))
	if err := os.Mkdir(temp, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := write(temp); err != nil {
		return err
	}
	entries, err := os.ReadDir(temp)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if e.Name() != last {
			names = append(names, e.Name())
		}
		if err := sync(filepath.Join(temp, e.Name())); err != nil {
			return err
		}
	}
	if len(names) == len(entries) {
		return fmt.Errorf("there is no %s in the set", last)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if replace {
		parent = dir
		err = exchange(temp, dir, last, names)
	} else {
		err = os.Rename(temp, dir)
	}
	if err == nil {
		syncFolder(parent)
	}
	return err
}

// exchange moves the manifest last and the other files of a set from temp to dir.
// What they replace waits in temp, to come back if a move fails.
func exchange(temp, dir, last string, names []string) (err error) {
	old := filepath.Join(temp, "old")
	if err := os.Mkdir(old, 0o777); err != nil {
		return err
	}
	var undo []func() error
	defer func() {
		if err != nil {
			for _, f := range slices.Backward(undo) {
				err = errors.Join(err, f())
			}
		}
	}()
	move := func(from, to string) error {
		err := os.Rename(from, to)
		if err == nil {
			undo = append(undo, func() error { return os.Rename(to, from) })
		}
		return err
	}
	for _, name := range append([]string{last}, names...) {
		path := filepath.Join(dir, name)
		switch info, err := os.Lstat(path); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case info.IsDir():
			return fmt.Errorf("%s is a folder there", name)
		}
		if err := move(path, filepath.Join(old, name)); err != nil {
			return err
		}
	}
	for _, name := range append(names, last) {
		if err := move(filepath.Join(temp, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// sync puts a file on disk, so that its new name never stands for less.
func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder puts the names in a folder on disk, where the system can do that.
func syncFolder(path string) {
	if f, err := os.Open(path); err == nil {
		_ = f.Sync()
		f.Close()
	}
}

// withoutPath drops the path of a system's error, which is a temporary one.
func withoutPath(err error) error {
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &file):
		return file.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
