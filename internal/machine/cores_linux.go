package machine

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

func cores() int {
	var set unix.CPUSet
	var processors []int
	if err := unix.SchedGetaffinity(0, &set); err == nil {
		for i, n := 0, set.Count(); len(processors) < n; i++ {
			if set.IsSet(i) {
				processors = append(processors, i)
			}
		}
	} else { // more processors than the set has room for
		for i := range runtime.NumCPU() {
			processors = append(processors, i)
		}
	}
	return coresIn(os.DirFS("/"), processors)
}

// coresIn is cores, of the system whose files are in fsys and of a process that
// may run on the processors.
func coresIn(fsys fs.FS, processors []int) int {
	found := map[string]bool{} // lists of the processors of a core
	for _, p := range processors {
		core := strconv.Itoa(p) // one of its own, if there is nothing to read
		for line := range lines(fsys, fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", p)) {
			core = line
		}
		found[core] = true
	}
	n := len(found)
	for _, dir := range groups(fsys, "cpu") {
		quota := numbers(fsys, dir+"/cpu.max") // microseconds in each period: two numbers, or "max" and one
		if len(quota) == 0 {
			quota = append(numbers(fsys, dir+"/cpu.cfs_quota_us"), numbers(fsys, dir+"/cpu.cfs_period_us")...)
		}
		if len(quota) == 2 && quota[0] > 0 && quota[1] > 0 { // version 1 has -1 for none
			n = int(min(int64(n), quota[0]/quota[1]))
		}
	}
	return max(1, n)
}
