package machine

import (
	"bufio"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

// groups returns the folders of the control groups that hold this process and
// that a controller may limit: its own and those above, as far as they are
// mounted, of both versions of control groups (cgroups(7)). Paths have no
// leading slash, as in [fs.FS].
func groups(fsys fs.FS, controller string) (folders []string) {
	for line := range lines(fsys, "proc/self/cgroup") {
		// hierarchy:controllers:path; version 2 is hierarchy 0 and names none.
		f := strings.SplitN(line, ":", 3)
		switch {
		case len(f) != 3:
		case f[0] == "0" && f[1] == "":
			folders = append(folders, chain(fsys, "cgroup2", "", f[2])...)
		case slices.Contains(strings.Split(f[1], ","), controller):
			folders = append(folders, chain(fsys, "cgroup", controller, f[2])...)
		}
	}
	return folders
}

// chain returns the folder of a group and those above it, up to where a file
// system of the type, and with the controller among its options unless that is
// empty, is mounted.
//
// A container may see its group under the path that the host knows it by, while
// only that group is mounted, or as the root of a namespace. A group that is
// outside of what is mounted leaves the top of the mount, which holds it.
func chain(fsys fs.FS, typ, controller, group string) []string {
	var outside []string
	for line := range lines(fsys, "proc/self/mountinfo") {
		// id parent device root point options [tags] - type source options (proc_pid_mountinfo(5))
		left, right, _ := strings.Cut(line, " - ")
		l, r := strings.Split(left, " "), strings.Split(right, " ")
		if len(l) < 6 || len(r) < 3 || r[0] != typ || controller != "" && !slices.Contains(strings.Split(r[2], ","), controller) {
			continue
		}
		root, top := unescape.Replace(l[3]), strings.TrimPrefix(path.Clean(unescape.Replace(l[4])), "/")
		rest, within := strings.CutPrefix(group, strings.TrimSuffix(root, "/"))
		folder := path.Join(top, rest)
		if within && (rest == "" || rest[0] == '/') && !strings.Contains(rest, "/..") && exists(fsys, folder) {
			all := []string{folder}
			for folder != top {
				folder = path.Dir(folder)
				all = append(all, folder)
			}
			return all
		}
		if outside == nil {
			outside = []string{top}
		}
	}
	return outside
}

// unescape undoes what the kernel does to separators in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

// lines yields the lines of a file, none of one that cannot be read.
func lines(fsys fs.FS, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		f, err := fsys.Open(name)
		if err != nil {
			return
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan() && yield(s.Text()); {
		}
	}
}

// numbers returns the whole numbers on the first line of a file, up to what is
// none, such as "max".
func numbers(fsys fs.FS, name string) (all []int64) {
	for line := range lines(fsys, name) {
		for text := range strings.FieldsSeq(line) {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				break
			}
			all = append(all, n)
		}
		break
	}
	return all
}

// field returns a number from a file of names and numbers, one pair a line, in
// bytes where the line says kB.
func field(fsys fs.FS, name, key string) (n int64, ok bool) {
	for line := range lines(fsys, name) {
		if !strings.HasPrefix(line, key) {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 2 || strings.TrimSuffix(f[0], ":") != key {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if len(f) > 2 && f[2] == "kB" {
			n <<= 10
		}
		return n, err == nil
	}
	return 0, false
}
