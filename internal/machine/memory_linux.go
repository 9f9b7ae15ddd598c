package machine

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

func memory() Limit {
	limit := func(resource int) uint64 {
		var r unix.Rlimit
		if unix.Getrlimit(resource, &r) != nil {
			return unix.RLIM_INFINITY
		}
		return r.Cur
	}
	return memoryIn(os.DirFS("/"), limit(unix.RLIMIT_AS), limit(unix.RLIMIT_DATA))
}

// noLimit is what no machine has: version 1 of control groups writes a large
// number where there is no limit.
const noLimit = 1 << 60

// memoryIn is memory, of the system whose files are in fsys and of a process
// that may have so many bytes of address space and of data.
func memoryIn(fsys fs.FS, addresses, data uint64) Limit {
	m := unbounded()
	free, ok := field(fsys, "proc/meminfo", "MemAvailable")
	if !ok { // a kernel before 3.14
		free, ok = field(fsys, "proc/meminfo", "MemTotal")
	}
	if ok {
		m.bound(free, "the machine")
	}
	for _, dir := range groups(fsys, "memory") {
		for _, v := range []struct{ limit, usage, active, inactive string }{
			{"memory.max", "memory.current", "active_file", "inactive_file"},
			{"memory.high", "memory.current", "active_file", "inactive_file"}, // beyond it the kernel stalls the group
			{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file", "total_inactive_file"},
		} {
			most := numbers(fsys, dir+"/"+v.limit)
			if len(most) != 1 || most[0] >= noLimit {
				continue
			}
			used := append(numbers(fsys, dir+"/"+v.usage), 0)[0]
			// As in MemAvailable, both lists of the page cache count as free: the
			// weights of a mapped model are among them.
			active, _ := field(fsys, dir+"/memory.stat", v.active)
			inactive, _ := field(fsys, dir+"/memory.stat", v.inactive)
			m.bound(most[0]-max(used-active-inactive, 0), "the control group /"+dir)
		}
	}
	for _, r := range []struct {
		limit    uint64
		used, by string
	}{{addresses, "VmSize", "the limit of the address space (RLIMIT_AS)"}, {data, "VmData", "the limit of data (RLIMIT_DATA)"}} {
		if r.limit < noLimit {
			used, _ := field(fsys, "proc/self/status", r.used)
			m.bound(int64(r.limit)-used, r.by)
		}
	}
	return Limit(m)
}
