// Package cgrouptest runs commands of tests in control groups with limits, where
// the machine lets the test make one.
package cgrouptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Memory makes a control group that may take bytes of memory and returns its
// folder. It skips the test where it cannot.
func Memory(t testing.TB, bytes int) string {
	t.Helper()
	return group(t, "memory", []file{{"memory.limit_in_bytes", fmt.Sprint(bytes)}}, []file{{"memory.max", fmt.Sprint(bytes)}})
}

// Processors makes a control group that may take micros of processor time in
// every 100,000 us and returns its folder. It skips the test where it cannot.
func Processors(t testing.TB, micros int) string {
	t.Helper()
	return group(t, "cpu", []file{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", fmt.Sprint(micros)}},
		[]file{{"cpu.max", fmt.Sprintf("%d 100000", micros)}})
}

// Command is exec.Command of a program that begins in the group of a folder.
func Command(folder, program string, args ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, folder, program}, args...)...)
}

type file struct{ name, text string }

// group makes a group below the top of a controller's hierarchy, of version 1 or
// else 2, and writes its limits.
func group(t testing.TB, controller string, v1, v2 []file) string {
	t.Helper()
	top, limits := filepath.Join("/sys/fs/cgroup", controller), v1
	if _, err := os.Stat(top); err != nil {
		top, limits = "/sys/fs/cgroup", v2
		_ = os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), []byte("+"+controller), 0) // else the limits have no file
	}
	dir, err := os.MkdirTemp(top, "normswap-test-")
	if err != nil {
		t.Skipf("no control group can be made: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	for _, l := range limits {
		f, err := os.OpenFile(filepath.Join(dir, l.name), os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(l.text)
			f.Close()
		}
		if err != nil {
			t.Skipf("no control group can be limited: %v", err)
		}
	}
	return dir
}
