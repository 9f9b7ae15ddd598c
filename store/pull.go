package store

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Pull fetches what a name stands for into the cache and returns its path, which
// [Find] then finds too. progress, if not nil, is called with the bytes that are
// there, and of all.
//
// Every file is checked by its size and its SHA-256 (small ones by git's SHA-1). A
// download that was broken off goes on where it was. Until all files are there the
// name stands for what it stood for before.
func (h *Hub) Pull(ctx context.Context, r Ref, progress func(done, total int64)) (string, error) {
	p, err := h.pull(ctx, cacheDirs(), r, progress)
	if err != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("store: cannot pull %s: %w", r, err)
	}
	return p, err
}

func (h *Hub) pull(ctx context.Context, c cache, r Ref, progress func(done, total int64)) (string, error) {
	commit, all, err := h.list(ctx, r)
	if err != nil {
		return "", err
	}
	files, err := wanted(all, r)
	if err != nil {
		return "", err
	}
	repo := c.repo(r)
	snapshot := filepath.Join(repo, "snapshots", commit)
	var done, total int64
	for i := range files {
		f := &files[i]
		if f.size < 0 {
			if err := h.head(ctx, h.resolve(r, commit, f.name), f); err != nil {
				return "", err
			}
		}
		total += f.size
	}
	add := func(n int64) {
		done += n
		if progress != nil {
			progress(done, total)
		}
	}
	for _, f := range files {
		if err := h.file(ctx, repo, snapshot, commit, r, f, add); err != nil {
			return "", err
		}
	}
	if r.Revision != commit {
		if err := writeWhole(filepath.Join(repo, "refs", filepath.FromSlash(r.Revision)), commit); err != nil {
			return "", err
		}
	}
	return c.find(r)
}

// writeWhole replaces a small file.
func writeWhole(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// file brings one file into a snapshot: as a link to its blob, where the system has
// links.
func (h *Hub) file(ctx context.Context, repo, snapshot, commit string, r Ref, f remote, add func(n int64)) error {
	at := filepath.Join(snapshot, filepath.FromSlash(f.name))
	if info, err := os.Stat(at); err == nil && info.Size() == f.size {
		add(f.size)
		return nil
	}
	blob := filepath.Join(repo, "blobs", f.sha256+f.sha1)
	if info, err := os.Stat(blob); err == nil && info.Size() == f.size {
		add(f.size)
	} else {
		if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
			return err
		}
		if err := h.retry(ctx, func() error { return h.blob(ctx, h.resolve(r, commit, f.name), blob, f, add) }); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(at), blob)
	if err != nil {
		return err
	}
	if os.Symlink(target, at) == nil {
		return nil
	}
	return os.Rename(blob, at)
}

// sum is the hash that a file is checked by.
func (f *remote) sum() hash.Hash {
	if f.sha256 != "" {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.size) // as git counts
	return h
}

// blob fetches a file, from where an earlier attempt ended.
func (h *Hub) blob(ctx context.Context, address, path string, f remote, add func(n int64)) (err error) {
	partial := path + ".incomplete" // the name that huggingface_hub gives it
	out, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	counted := int64(0)
	defer func() {
		out.Close()
		if err != nil {
			add(-counted)
		}
	}()
	sum := f.sum()
	count := func(n int64) { counted += n; add(n) }
	have, err := io.Copy(counter{ctx, sum, count}, out)
	if err != nil {
		return err
	}
	if have < f.size || f.size == 0 {
		if have, err = h.fetch(ctx, address, out, have, sum, f, count); err != nil {
			return err
		}
	}
	if have != f.size {
		os.Remove(partial)
		return fmt.Errorf("it has %d bytes, want %d; what came is removed", have, f.size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.sha256+f.sha1 {
		os.Remove(partial)
		return fmt.Errorf("its sum is %s, want %s; what came is removed", got, f.sha256+f.sha1)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// fetch appends to out what is missing, and returns how long it is then.
func (h *Hub) fetch(ctx context.Context, address string, out *os.File, have int64, sum hash.Hash, f remote, count func(n int64)) (int64, error) {
	resp, err := h.get(ctx, address, have)
	if err != nil {
		return have, err
	}
	defer resp.Body.Close()
	if have > 0 && resp.StatusCode == http.StatusOK { // a server that knows no ranges
		if err := out.Truncate(0); err != nil {
			return have, err
		}
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			return have, err
		}
		sum.Reset()
		if f.sha256 == "" {
			fmt.Fprintf(sum, "blob %d\x00", f.size)
		}
		count(-have)
		have = 0
	}
	if want := fmt.Sprintf("bytes %d-", have); have > 0 && !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
		return have, fmt.Errorf("%s answers with the range %.60q, want one that begins with %q", address, resp.Header.Get("Content-Range"), want)
	}
	n, err := io.Copy(io.MultiWriter(out, counter{ctx, sum, count}), io.LimitReader(resp.Body, f.size-have+1))
	have += n
	if err == nil && have < f.size {
		err = io.ErrUnexpectedEOF
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return have, err
}

// counter hashes and counts, until ctx is cancelled.
type counter struct {
	ctx   context.Context
	h     hash.Hash
	count func(n int64)
}

func (c counter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	c.count(int64(len(p)))
	return c.h.Write(p)
}
