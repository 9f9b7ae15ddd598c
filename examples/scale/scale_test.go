// Package scale holds manifests that spread infer geometry over machines. Its
// tests read them and run their commands with a stand-in for infer.
package scale

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// at follows keys and indices into a parsed document.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any) // what is none has no keys
			next, ok := m[step]
			if !ok {
				t.Fatalf("no %v", path[:i+1])
			}
			v = next
		case int:
			list, ok := v.([]any)
			if !ok || step >= len(list) {
				t.Fatalf("no %v", path[:i+1])
			}
			v = list[step]
		}
	}
	return v
}

func manifest(t *testing.T, name string) any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := parseYAML(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, want := range []struct {
		value string
		path  []any
	}{
		{"batch/v1", []any{"apiVersion"}},
		{"Job", []any{"kind"}},
		{"Never", []any{"spec", "template", "spec", "restartPolicy"}}, // a Job allows no Always
	} {
		if got := at(t, v, want.path...); got != want.value {
			t.Errorf("%s: %v is %v, want %s", name, want.path, got, want.value)
		}
	}
	pod := at(t, v, "spec", "template", "spec")
	if a, b := at(t, pod, "containers", 0, "volumeMounts", 0, "name"), at(t, pod, "volumes", 0, "name"); a != b {
		t.Errorf("%s: mounts volume %v of %v", name, a, b)
	}
	return v
}

// env returns the environment of the container.
func env(t *testing.T, v any) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, _ := at(t, v, "spec", "template", "spec", "containers", 0, "env").([]any)
	for _, e := range list {
		out[at(t, e, "name").(string)] = at(t, e, "value").(string)
	}
	return out
}

func TestSweepManifest(t *testing.T) {
	v := manifest(t, "sweep.yaml")
	if got := at(t, v, "spec", "completionMode"); got != "Indexed" {
		t.Errorf("completionMode is %v", got)
	}
	if n, e := at(t, v, "spec", "completions"), env(t, v)["SHARDS"]; n != e {
		t.Errorf("%v completions of %s shards", n, e)
	}
}

// stub puts a stand-in for infer in front of the path: it writes its
// arguments to the file log, and the part that they name.
func stub(t *testing.T) (path, log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	script := "#!/bin/sh\necho \"$*\" >> '" + log + "'\nfor last; do :; done\ncase $last in *.json) echo > \"$last\" ;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "infer"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir + string(os.PathListSeparator) + os.Getenv("PATH"), log
}

func shell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return path
}

func run(t *testing.T, vars []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(shell(t, name), args...)
	cmd.Env = append(os.Environ(), vars...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, args[0], err, out)
	}
}

// swept checks the log of a sweep: every shard once, then one merge of all.
func swept(t *testing.T, log, out string, shards int) {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(b)), "\n")
	slices.Sort(got)
	var want, parts []string
	for i := range shards {
		want = append(want, fmt.Sprintf("geometry m.gguf -f t.txt --shard %d/%d --part %s/part-%d.json", i, shards, out, i))
		parts = append(parts, filepath.Join(out, fmt.Sprintf("part-%d.json", i)))
	}
	want = append(want, "merge --models "+strings.Join(parts, " ")+" -o "+filepath.Join(out, "report"))
	if !slices.Equal(got, want) {
		t.Errorf("infer was called as\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestKubernetesCommands(t *testing.T) {
	path, log := stub(t)
	out := filepath.Join(t.TempDir(), "parts")
	call := func(name string, vars ...string) {
		v := manifest(t, name)
		c := at(t, v, "spec", "template", "spec", "containers", 0)
		words := []string{}
		for _, key := range []string{"command", "args"} {
			list, _ := at(t, c, key).([]any)
			for _, w := range list {
				words = append(words, w.(string))
			}
		}
		all := []string{"PATH=" + path}
		for k, v := range env(t, v) {
			all = append(all, k+"="+v)
		}
		run(t, append(append(all, "OUT="+out, "MODELS=m.gguf", "TEXT=t.txt"), vars...), words[0], words[1:]...)
	}
	for i := range 7 {
		call("sweep.yaml", fmt.Sprintf("JOB_COMPLETION_INDEX=%d", i))
	}
	call("merge.yaml")
	swept(t, log, out, 7)
}

func TestSlurmScripts(t *testing.T) {
	path, log := stub(t)
	out := filepath.Join(t.TempDir(), "parts")
	vars := []string{"PATH=" + path, "OUT=" + out, "MODELS=m.gguf", "TEXT=t.txt", "SLURM_ARRAY_TASK_COUNT=7"}
	for i := range 7 {
		run(t, append(vars, fmt.Sprintf("SLURM_ARRAY_TASK_ID=%d", i)), "bash", "sweep.sbatch")
	}
	run(t, vars, "bash", "merge.sbatch")
	swept(t, log, out, 7)
}

func TestLocalScript(t *testing.T) {
	path, log := stub(t)
	out := filepath.Join(t.TempDir(), "parts")
	run(t, []string{"PATH=" + path}, "sh", "local.sh", "m.gguf", "t.txt", out, "5")
	swept(t, log, out, 5)
}

// Slurm reads its directives only before the first command.
func TestSlurmDirectives(t *testing.T) {
	for name, want := range map[string]string{"sweep.sbatch": "#SBATCH --array=0-6", "merge.sbatch": "#SBATCH --job-name"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		commands, directives := 0, ""
		for i, line := range strings.Split(string(text), "\n") {
			switch {
			case i == 0 && line != "#!/bin/bash":
				t.Errorf("%s begins with %q", name, line)
			case strings.HasPrefix(line, "#SBATCH"):
				directives += line + "\n"
				if commands > 0 {
					t.Errorf("%s: line %d: a directive after a command", name, i+1)
				}
			case line != "" && line[0] != '#':
				commands++
			}
		}
		if !strings.Contains(directives, want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
	for _, name := range []string{"sweep.sbatch", "merge.sbatch", "local.sh"} {
		run(t, nil, "bash", "-n", name)
	}
}

func TestYAMLRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "# only a comment", "a: 1\na: 2", "a:\nb: 1", "a: 1\n  b: 2", "a: [\"x\", \"y\"", "a: \"x", "a: {b: c}",
		"a: [x]", "just words", "- a\nb: 1", "a: &b", "\ta: 1", "a: b: c",
	} {
		if v, err := parseYAML(bad); err == nil {
			t.Errorf("%q parsed as %v", bad, v)
		}
	}
	v, err := parseYAML("a:\n  - b: 1\n    c: |\n      x\n      y\n  - \"z\"\nd: [\"p\", \"q\"]\n")
	if err != nil || fmt.Sprint(v) != "map[a:[map[b:1 c:x\ny] z] d:[p q]]" {
		t.Errorf("%v, %v", v, err)
	}
}
