package tests

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
	"golang.org/x/sys/unix"
)

// A set is files that a command writes together.
type set struct {
	manifest string   // the file that is written last
	old, new []string // commands, without the place to write to
	place    func(dir string) []string
}

// sets are the commands that write sets of files. The old one and the new one
// write files of the same names.
func sets(t *testing.T) map[string]set {
	t.Helper()
	model, dir := testdata.Path(t, "archs/gpt2.gguf"), t.TempDir()
	part := func(name, tokens string) string {
		path := filepath.Join(dir, name)
		text := works(t, "geometry", model, "--tokens", tokens, "--swap-tokens", "0", "--shard", "0/1")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	into := func(name string) func(dir string) []string {
		return func(dir string) []string { return []string{"-o", filepath.Join(dir, name)} }
	}
	return map[string]set{
		"geometry": {
			"geometry.json", []string{"geometry", model, "--tokens", "64", "--swap-tokens", "0"},
			[]string{"geometry", model, "--tokens", "96", "--swap-tokens", "0"}, into(""),
		},
		"merge": {"geometry.json", []string{"merge", part("old.json", "64")}, []string{"merge", part("new.json", "96")}, into("")},
		"states": {
			"s.json", []string{"states", model, "--tokens", "64", "--sites", "ln1", "--stage", "in", "--force"},
			[]string{"states", model, "--tokens", "64", "--sites", "ln1", "--stage", "out", "--force"}, into("s.npy"),
		},
	}
}

// contents are the digests of the files of a folder. What a killed process may
// leave is left out, and removed.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := map[string][32]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(path, ".tmp") {
			os.RemoveAll(path)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) == ".html" { // which says what command made it
			b, _, _ = bytes.Cut(b, []byte("<footer>"))
		}
		found[e.Name()] = sha256.Sum256(b)
	}
	return found
}

func (s *set) write(command []string, dir string) []string {
	return append(append([]string(nil), command...), s.place(dir)...)
}

// written runs a command of a set in a folder of its own.
func (s *set) written(t *testing.T, command []string) map[string][32]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	works(t, s.write(command, dir)...)
	found := contents(t, dir)
	if len(found) < 3 || found[s.manifest] == [32]byte{} {
		t.Fatalf("infer %q writes %d files", command, len(found))
	}
	return found
}

// TestKilledSets kills the commands that write sets of files at random moments:
// if the manifest is there, all other files belong to it.
func TestKilledSets(t *testing.T) {
	for name, s := range sets(t) {
		t.Run(name, func(t *testing.T) {
			older := s.written(t, s.old)
			start := time.Now()
			newer := s.written(t, s.new)
			lasts := time.Since(start)
			dir := filepath.Join(t.TempDir(), "set")
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
			old, none, done := 0, 0, 0
			times := max(kills(t)/2, 3) // of three kinds
			for i := range times {
				os.RemoveAll(dir)
				if i%3 > 0 || name == "states" { // which makes no folders
					if err := os.Mkdir(dir, 0o777); err != nil {
						t.Fatal(err)
					}
				}
				if i%3 == 1 {
					works(t, s.write(s.old, dir)...)
				}
				signalled(t, os.Kill, time.Duration(rng.Float64()*float64(lasts)), s.write(s.new, dir)...)
				switch found := contents(t, dir); {
				case found[s.manifest] == [32]byte{}:
					none++
				case i%3 == 1 && maps.Equal(found, older):
					old++
				case maps.Equal(found, newer):
					done++
				default:
					t.Errorf("killed within %v: the manifest is there, and other files than its own", lasts)
				}
			}
			t.Logf("killed %d times in %v: none %d, old %d, new %d", times, lasts.Round(time.Millisecond), none, old, done)
			works(t, s.write(s.new, dir)...)
			if !maps.Equal(contents(t, dir), newer) {
				t.Error("the run after the kills leaves another set")
			}
		})
	}
}

// keepsOld checks that a command that cannot write its set says so once, names the
// folder, and leaves the old set.
func (s *set) keepsOld(t *testing.T, dir string, want string, older map[string][32]byte, cmd *exec.Cmd) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.Run()                                                           // the exit code is looked at below
	lines := strings.SplitAfter(strings.TrimSpace(errs.String()), "\n") // remarks, and the error
	text := lines[len(lines)-1]
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(text, want) || strings.Count(text, dir) != 1 || strings.Count(text, want) != 1 || strings.Contains(text, ".tmp") {
		t.Errorf("exit %d, %q, want %q and %q once", code, text, want, dir)
	}
	if found := contents(t, dir); !maps.Equal(found, older) {
		t.Errorf("the set is another: %d files, %d before", len(found), len(older))
	}
	if all, err := os.ReadDir(dir); err == nil && len(all) != len(older) {
		t.Errorf("%d files and folders, want %d", len(all), len(older))
	}
}

// TestNoRoomSets: on a disk that is full, or has no inodes left, the old set stays.
// A limit on the size of files stands for the disk where none can be made.
func TestNoRoomSets(t *testing.T) {
	for name, s := range sets(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			works(t, s.write(s.old, dir)...)
			older := contents(t, dir)
			for _, blocks := range []string{"0", "1", "8"} {
				args := append([]string{"-c", `ulimit -f ` + blocks + ` && exec "$0" "$@"`, command(t)}, s.write(s.new, dir)...)
				s.keepsOld(t, dir, "file too large", older, exec.Command("sh", args...))
			}
			for _, size := range []string{"size=%K", "size=64M,nr_inodes=%I"} {
				disk := t.TempDir()
				s.onDisk(t, disk, size, older)
			}
		})
	}
}

// onDisk writes the old set to a disk, and the new one where that has no room.
func (s *set) onDisk(t *testing.T, disk, size string, older map[string][32]byte) {
	t.Helper()
	mount := func(options string) bool {
		if err := unix.Mount("tmpfs", disk, "tmpfs", 0, options); err != nil {
			t.Logf("no disk of %s: %v", options, err)
			return false
		}
		t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
		return true
	}
	if !mount("size=64M") {
		return
	}
	works(t, s.write(s.old, disk)...)
	var used unix.Statfs_t
	if err := unix.Statfs(disk, &used); err != nil {
		t.Fatal(err)
	}
	// Room for the old set and a little more.
	bytes, inodes := int(used.Blocks-used.Bfree)*int(used.Bsize), int(used.Files-used.Ffree)
	size = strings.ReplaceAll(size, "%K", strconv.Itoa(bytes+bytes/4))
	size = strings.ReplaceAll(size, "%I", strconv.Itoa(inodes+3))
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, size); err != nil {
		t.Logf("no disk of %s: %v", size, err)
		return
	}
	s.keepsOld(t, disk, "no space left on device", older, exec.Command(command(t), s.write(s.new, disk)...))
}

// TestReadOnlySets: where nothing may be written the old set stays.
func TestReadOnlySets(t *testing.T) {
	for name, s := range sets(t) {
		t.Run(name, func(t *testing.T) {
			disk := t.TempDir()
			if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64M"); err != nil {
				t.Skipf("no disk: %v", err)
			}
			t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
			works(t, s.write(s.old, disk)...)
			older := contents(t, disk)
			if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, "size=64M"); err != nil {
				t.Fatal(err)
			}
			s.keepsOld(t, disk, "read-only file system", older, exec.Command(command(t), s.write(s.new, disk)...))
		})
	}
}

// TestInterruptBlocked: Ctrl-C ends what waits for a FIFO to be opened, to be
// written to or to be read.
func TestInterruptBlocked(t *testing.T) {
	dir := t.TempDir()
	fifo, full := filepath.Join(dir, "fifo"), filepath.Join(dir, "full")
	for _, path := range []string{fifo, full} {
		if err := syscall.Mkfifo(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it never reads
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	model := testdata.Path(t, stories)
	for _, args := range [][]string{
		{"merge", fifo}, {"fold", "-o", fifo}, {"fold", "-o", full}, {"synth", "--shape", "llama-1B", "--type", "F32", "-o", full},
		{"logits", model, "--tokens", strings.Repeat("1,2,", 900) + "3", "-o", full}, {"states", "--sites", "output_norm", "-o", full},
		{"perplexity", model, "-f", fifo}, {model, "-f", fifo}, {"geometry", model, "-f", fifo},
	} {
		interrupt(t, os.Interrupt, 300*time.Millisecond, args...).fails(t, interrupted, "interrupted")
	}
}

// TestInputLimits: what never ends is refused, by a limit that the message names
// or for what it is.
func TestInputLimits(t *testing.T) {
	model := testdata.Path(t, stories)
	infer(t, "merge", "/dev/zero").fails(t, 1, "/dev/zero", "not JSON")
	infer(t, "perplexity", model, "-f", "/dev/zero").fails(t, 1, "/dev/zero", "binary data")
	infer(t, model, "-f", "/dev/zero").fails(t, 1, "/dev/zero", "64 MiB")
	spaces := filepath.Join(t.TempDir(), "part.json") // JSON may begin with any number of spaces
	f, err := os.Create(spaces)
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte{' '}, 1<<20)
	for range 257 {
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	infer(t, "merge", spaces).fails(t, 1, spaces, "256 MiB")
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	for want, args := range map[string][]string{"64 MiB": {model, "-i"}, "limit of a text": {"tokenize", model}, "stdin: this is binary data": {"compare", model, "-f", "-"}} {
		var errs bytes.Buffer
		cmd := exec.Command(command(t), args...)
		cmd.Stdin, cmd.Stderr = zero, &errs
		cmd.Run() // the exit code is looked at below
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("infer %q < /dev/zero: exit %d, %q", args, code, errs.String())
		}
	}
}
