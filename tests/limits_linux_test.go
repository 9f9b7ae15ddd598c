package tests

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/cgrouptest"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"golang.org/x/sys/unix"
)

// TestMemoryLimits: a model that fits the memory that the process may take only once
// runs out of its mapping, whatever sets the limit, with the same logits and
// without a word. Weights of this size are copied into memory where there is
// more.
func TestMemoryLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a model of 134 MB")
	}
	dir := t.TempDir()
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil || disk.Bavail*uint64(disk.Bsize) < 512<<20 {
		t.Skipf("not enough room in %s: %v", dir, err)
	}
	shape := toy.Tiny("llama", nil)
	shape.Dim, shape.FFN = 1024, 4096
	path := filepath.Join(dir, "model.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := toy.Write(f, shape, "F32", 1); err != nil {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || f.Close() != nil || size < 120<<20 {
		t.Fatalf("a model of %d bytes: %v", size, err)
	}
	args := []string{"logits", path, "--tokens", "1,2,3", "--threads", "2", "--json"}
	want := works(t, args...)

	check := func(name string, cmd *exec.Cmd) {
		t.Helper()
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || errs.Len() > 0 || out.String() != want {
			t.Errorf("%s: %v, stderr %q, %d bytes of logits, want %d", name, err, errs.String(), out.Len(), len(want))
		}
	}
	// The program, the mapping, and not all of a copy. Go reserves address space in
	// pieces of 64 MiB, of which the program may have taken one more by now.
	once := baseSize(t) + int(size) + 110<<20
	check("address space", exec.Command("sh", append([]string{"-c", `ulimit -v "$0" && exec "$@"`, fmt.Sprint(once >> 10), command(t)}, args...)...))
	where := append(args[:len(args):len(args)], "--verbose")
	out, err := exec.Command("sh", append([]string{"-c", `ulimit -v "$0" && exec "$@"`, fmt.Sprint(once >> 10), command(t)}, where...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "stay in the mapping") {
		t.Errorf("--verbose does not say where the weights are: %v, %.200s", err, out)
	}
	check("control group", cgrouptest.Command(cgrouptest.Memory(t, 100<<20), command(t), args...))
}

// baseSize returns the address space in bytes that the command takes with a
// small model.
func baseSize(t *testing.T) (kib int) {
	t.Helper()
	cmd := exec.Command(command(t), testdata.Path(t, stories), "-p", "Once", "-n", "-1", "--ctx", "100000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }() // that it was killed is no news
	if _, err := io.ReadFull(out, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	_, peak, _ := strings.Cut(string(b), "VmPeak:")
	if _, err2 := fmt.Sscanf(peak, "%d kB", &kib); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return kib << 10
}
