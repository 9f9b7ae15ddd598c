package machine

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/normswap/normswap/internal/cgrouptest"
	"golang.org/x/sys/unix"
)

// tree makes a file system of pairs of a path and a text.
func tree(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

const (
	meminfo  = "MemTotal:       24684096 kB\nMemFree:        23410088 kB\nMemAvailable:   8192 kB\nBuffers:          219572 kB\n"
	status   = "Name:\tx\nVmPeak:\t 1227000 kB\nVmSize:\t    2048 kB\nVmRSS:\t 9 kB\nVmData:\t    1024 kB\n"
	v2mounts = "24 30 0:22 / /proc rw,relatime shared:12 - proc proc rw\n" +
		"35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	// Version 1 beside 2, as systemd mounted it for years.
	hybridMounts = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n" +
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	// Docker with version 1: the host's name of the group, and the group alone mounted.
	dockerMounts = "802 792 0:28 /docker/4f2a /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:11 - cgroup cgroup rw,memory\n" +
		"803 792 0:29 /docker/4f2a /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:12 - cgroup cgroup rw,cpu,cpuacct\n"
	unlimited = "9223372036854771712\n" // version 1, no limit
)

func TestMemoryIn(t *testing.T) {
	const mib = 1 << 20
	const infinite = unix.RLIM_INFINITY
	for _, c := range []struct {
		name            string
		files           fstest.MapFS
		addresses, data uint64
		bytes           int64
		by              string
	}{
		{"nothing to read", tree(), infinite, infinite, math.MaxInt64, ""},
		{"no groups", tree("proc/meminfo", meminfo), infinite, infinite, 8 * mib, "the machine"},
		{"an old kernel", tree("proc/meminfo", "MemTotal: 4096 kB\n"), infinite, infinite, 4 * mib, "the machine"},
		{"version 2", tree("proc/meminfo", meminfo, "proc/self/cgroup", "0::/user.slice/run.scope\n", "proc/self/mountinfo", v2mounts,
			"sys/fs/cgroup/user.slice/run.scope/memory.max", "5242880\n", "sys/fs/cgroup/user.slice/run.scope/memory.current", "3145728\n",
			"sys/fs/cgroup/user.slice/run.scope/memory.stat", "anon 2097152\nfile 1048576\ninactive_anon 7\nactive_file 524288\ninactive_file 524288\n"),
			infinite, infinite, 3 * mib, "the control group /sys/fs/cgroup/user.slice/run.scope"},
		{"a group above is full", tree("proc/meminfo", meminfo, "proc/self/cgroup", "0::/a.slice/b.slice/c.scope\n", "proc/self/mountinfo", v2mounts,
			"sys/fs/cgroup/a.slice/b.slice/c.scope/memory.max", "max\n", "sys/fs/cgroup/a.slice/b.slice/c.scope/memory.current", "1\n",
			"sys/fs/cgroup/a.slice/memory.max", "4194304\n", "sys/fs/cgroup/a.slice/memory.current", "4198400\n"),
			infinite, infinite, 0, "the control group /sys/fs/cgroup/a.slice"},
		{"where the kernel stalls", tree("proc/meminfo", meminfo, "proc/self/cgroup", "0::/a\n", "proc/self/mountinfo", v2mounts,
			"sys/fs/cgroup/a/memory.max", "max\n", "sys/fs/cgroup/a/memory.high", "2097152\n", "sys/fs/cgroup/a/memory.current", "1048576\n"),
			infinite, infinite, mib, "the control group /sys/fs/cgroup/a"},
		{"a container's name space", tree("proc/meminfo", meminfo, "proc/self/cgroup", "0::/\n", "proc/self/mountinfo", v2mounts,
			"sys/fs/cgroup/memory.max", "2097152\n", "sys/fs/cgroup/memory.current", "1048576\n"),
			infinite, infinite, mib, "the control group /sys/fs/cgroup"},
		{"outside of the name space", tree("proc/meminfo", meminfo, "proc/self/cgroup", "0::/../other\n", "proc/self/mountinfo", v2mounts,
			"sys/fs/cgroup/memory.max", "2097152\n", "sys/fs/cgroup/memory.current", "0\n", "sys/fs/other/memory.max", "1\n"),
			infinite, infinite, 2 * mib, "the control group /sys/fs/cgroup"},
		{"version 1", tree("proc/meminfo", meminfo, "proc/self/cgroup", "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/\n", "proc/self/mountinfo", hybridMounts,
			"sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited, "sys/fs/cgroup/memory/memory.usage_in_bytes", "25165824\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5242880\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2097152\n",
			"sys/fs/cgroup/memory/a/memory.stat", "active_file 1\ninactive_file 1\ntotal_active_file 0\ntotal_inactive_file 1048576\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", unlimited),
			infinite, infinite, 4 * mib, "the control group /sys/fs/cgroup/memory/a"},
		{"no limit is none", tree("proc/self/cgroup", "4:memory:/\n", "proc/self/mountinfo", hybridMounts,
			"sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited, "sys/fs/cgroup/memory/memory.usage_in_bytes", "25165824\n"),
			infinite, infinite, math.MaxInt64, ""},
		{"Docker with version 1", tree("proc/meminfo", meminfo, "proc/self/cgroup", "4:memory:/docker/4f2a\n", "proc/self/mountinfo", dockerMounts,
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "3145728\n", "sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n"),
			infinite, infinite, 2 * mib, "the control group /sys/fs/cgroup/memory"},
		{"a group within the container", tree("proc/meminfo", meminfo, "proc/self/cgroup", "4:memory:/docker/4f2a/in\n", "proc/self/mountinfo", dockerMounts,
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "3145728\n", "sys/fs/cgroup/memory/in/memory.limit_in_bytes", "1048576\n"),
			infinite, infinite, mib, "the control group /sys/fs/cgroup/memory/in"},
		{"a sibling's name", tree("proc/self/cgroup", "4:memory:/docker/4f2abc\n", "proc/self/mountinfo", dockerMounts,
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "3145728\n", "sys/fs/cgroup/memory/bc/memory.limit_in_bytes", "1\n"),
			infinite, infinite, 3 * mib, "the control group /sys/fs/cgroup/memory"},
		{"a mount point with a space", tree("proc/self/cgroup", "0::/x\n", "proc/self/mountinfo", `35 24 0:30 / /mnt/all\040groups rw - cgroup2 none rw`,
			"mnt/all groups/x/memory.max", "7\n"), infinite, infinite, 7, "the control group /mnt/all groups/x"},
		{"another mount of the same", tree("proc/self/cgroup", "0::/x\n",
			"proc/self/mountinfo", "35 24 0:30 /../.. /host/cgroup rw - cgroup2 none rw\n"+v2mounts,
			"host/cgroup/memory.max", "1\n", "sys/fs/cgroup/x/memory.max", "7\n"), infinite, infinite, 7, "the control group /sys/fs/cgroup/x"},
		{"lines that are none", tree("proc/meminfo", "MemAvailable:\nx\n\n", "proc/self/cgroup", "\n4:memory\n0::\n", "proc/self/mountinfo", "\n - \n1 2 3\n - cgroup2\n",
			"sys/fs/cgroup/memory.max", "x\n"), infinite, infinite, math.MaxInt64, ""},
		{"address space", tree("proc/meminfo", meminfo, "proc/self/status", status), 6 * mib, infinite, 4 * mib, "the limit of the address space (RLIMIT_AS)"},
		{"data", tree("proc/meminfo", meminfo, "proc/self/status", status), 7 * mib, 4 * mib, 3 * mib, "the limit of data (RLIMIT_DATA)"},
		{"data used up", tree("proc/meminfo", meminfo, "proc/self/status", status), infinite, 100, 0, "the limit of data (RLIMIT_DATA)"},
	} {
		if got, want := memoryIn(c.files, c.addresses, c.data), (Limit{c.bytes, c.by}); got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

func TestCoresIn(t *testing.T) {
	// cpus is the topology of processors, each with those of its core.
	cpus := func(siblings ...string) (pairs []string) {
		for i, s := range siblings {
			pairs = append(pairs, fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i), s+"\n")
		}
		return pairs
	}
	four := cpus("0", "1", "2", "3")
	v1 := slices.Concat(four, []string{"proc/self/cgroup", "1:cpu,cpuacct:/a/b\n", "proc/self/mountinfo", hybridMounts})
	v2 := slices.Concat(four, []string{"proc/self/cgroup", "0::/a/b\n", "proc/self/mountinfo", v2mounts})
	all := []int{0, 1, 2, 3}
	for _, c := range []struct {
		name       string
		files      []string
		processors []int
		want       int
	}{
		{"nothing to read", nil, all, 4},
		{"two threads a core", cpus("0-1", "0-1", "2-3", "2-3"), all, 2},
		{"one core of them", cpus("0-1", "0-1", "2-3", "2-3"), []int{0, 1}, 1},
		{"numbered core by core, then again", cpus("0,2", "1,3", "0,2", "1,3"), []int{0, 1}, 2},
		{"the second threads alone", cpus("0,2", "1,3", "0,2", "1,3"), []int{2, 3}, 2},
		{"hybrid: two cores of two threads, four of one", cpus("0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"), []int{0, 1, 2, 3, 4, 5, 6, 7}, 6},
		{"hybrid, one fast core and two slow ones", cpus("0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"), []int{0, 1, 4, 5}, 3},
		{"a processor without topology", cpus("0-1", "0-1"), []int{0, 1, 7}, 2},
		{"version 2, no quota", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"}), all, 4},
		{"version 2, three", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"}), all, 3},
		{"version 2, two and a half", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "250000 100000\n"}), all, 2},
		{"version 2, below two", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "199999 100000\n"}), all, 1},
		{"version 2, a tenth", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "5000 50000\n"}), all, 1},
		{"version 2, the group above", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "max 100000\n", "sys/fs/cgroup/a/cpu.max", "200000 100000\n"}), all, 2},
		{"version 2, more than there are", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "9900000 100000\n"}), all, 4},
		{"version 2, nonsense", slices.Concat(v2, []string{"sys/fs/cgroup/a/b/cpu.max", "3 0\n", "sys/fs/cgroup/a/cpu.max", "100000\n"}), all, 4},
		{"version 1, no quota", slices.Concat(v1, []string{"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n", "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"}), all, 4},
		{"version 1, two", slices.Concat(v1, []string{"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "200000\n", "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"}), all, 2},
		{"version 1, the group above has one", slices.Concat(v1, []string{"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n", "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n",
			"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "200000\n", "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"}), all, 1},
	} {
		if got := coresIn(tree(c.files...), c.processors); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

const childEnv = "NORMSWAP_TEST_MACHINE"

// TestChild is what the tests below run in a process of its own.
func TestChild(t *testing.T) {
	switch os.Getenv(childEnv) {
	case "":
		return
	case "address space":
		size, ok := field(os.DirFS("/"), "proc/self/status", "VmSize")
		if !ok {
			t.Fatal("no VmSize")
		}
		limit := unix.Rlimit{Cur: uint64(size) + 256<<20, Max: uint64(size) + 256<<20}
		if err := unix.Setrlimit(unix.RLIMIT_AS, &limit); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("limit %d %s\ncores %d\n", Memory().Bytes, Memory().By, Cores())
	const slack = 32 << 20 // for what the runtime maps meanwhile
	for _, n := range []int64{Memory().Bytes - slack, Memory().Bytes + slack} {
		if n < 1<<30 {
			b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
			fmt.Println("mapped", err == nil)
			if err == nil {
				_ = unix.Munmap(b)
			}
		}
	}
}

// child runs TestChild with cmd and returns what it prints.
func child(t *testing.T, cmd *exec.Cmd, scene string) string {
	t.Helper()
	cmd.Env = append(os.Environ(), childEnv+"="+scene, "GOCOVERDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// near parses the limit that a child prints.
func near(t *testing.T, out string, want int64, by string) {
	t.Helper()
	var got int64
	if _, err := fmt.Sscanf(out, "limit %d", &got); err != nil || got > want || got < want-32<<20 || !strings.Contains(out, by) {
		t.Errorf("%v: %s\nwant %d, or up to 32 MiB less: %s", err, out, want, by)
	}
}

func TestAddressSpace(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector takes the address space for itself")
	}
	out := child(t, exec.Command(os.Args[0], "-test.run=^TestChild$"), "address space")
	near(t, out, 256<<20, "the limit of the address space (RLIMIT_AS)")
	if !strings.Contains(out, "mapped true\nmapped false\n") {
		t.Errorf("what is said to be left is not what can be mapped: %s", out)
	}
}

func TestMemoryGroup(t *testing.T) {
	folder := cgrouptest.Memory(t, 96<<20)
	near(t, child(t, cgrouptest.Command(folder, os.Args[0], "-test.run=^TestChild$"), "group"), 96<<20, "the control group "+folder)
}

func TestQuota(t *testing.T) {
	for micros, want := range map[int]int{100_000: 1, 200_000: min(2, Cores()), 10_000: 1} {
		out := child(t, cgrouptest.Command(cgrouptest.Processors(t, micros), os.Args[0], "-test.run=^TestChild$"), "group")
		if !strings.Contains(out, fmt.Sprintf("cores %d\n", want)) {
			t.Errorf("%d us: %s, want %d", micros, out, want)
		}
	}
}

// TestAffinity keeps a thread to one processor.
func TestAffinity(t *testing.T) {
	got := make(chan int)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its goroutine
		var all, one unix.CPUSet
		err := unix.SchedGetaffinity(0, &all)
		for i := 0; err == nil && one.Count() == 0; i++ {
			if all.IsSet(i) {
				one.Set(i)
			}
		}
		if err != nil || unix.SchedSetaffinity(0, &one) != nil {
			close(got)
			return
		}
		got <- Cores()
	}()
	switch n, ok := <-got; {
	case !ok:
		t.Skip("the affinity of a thread cannot be set")
	case n != 1:
		t.Errorf("%d cores on one processor", n)
	}
}

// TestProcs: who sets GOMAXPROCS means it.
func TestProcs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if n := Cores(); n != 1 {
		t.Errorf("%d", n)
	}
}
