package scale

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

// slurmConf is a Slurm of one node, which has processors for all shares at once,
// whatever the machine has.
const slurmConf = `ClusterName=one
SlurmctldHost=localhost
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/none
CredType=cred/none
SlurmUser=USER
SlurmdUser=USER
StateSaveLocation=DIR/state
SlurmdSpoolDir=DIR/spool
SlurmctldPidFile=DIR/slurmctld.pid
SlurmdPidFile=DIR/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
NodeName=localhost CPUs=64 RealMemory=131072 State=UNKNOWN
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
`

// A cluster is a Slurm of one node.
type cluster struct {
	t   *testing.T
	dir string
	env []string

	infer string // the program
}

func startSlurm(t *testing.T) *cluster {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, dir: t.TempDir()}
	conf := filepath.Join(c.dir, "slurm.conf")
	if err := os.WriteFile(conf, []byte(strings.NewReplacer("DIR", c.dir, "USER", me.Username).Replace(slurmConf)), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(c.dir, "bin")
	for _, d := range []string{"state", "spool", "bin", "parts"} {
		if err := os.Mkdir(filepath.Join(c.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", bin, "./cmd/infer")
	build.Dir = testdata.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.infer = filepath.Join(bin, "infer")
	c.env = append(os.Environ(), "SLURM_CONF="+conf, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "OUT="+filepath.Join(c.dir, "parts"))
	for _, daemon := range [][]string{{"slurmctld", "-D"}, {"slurmd", "-D", "-N", "localhost"}} {
		cmd := exec.Command(daemon[0], daemon[1:]...)
		cmd.Env = c.env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Signal(os.Interrupt)
			_ = cmd.Wait() // it was interrupted
		})
		time.Sleep(time.Second)
	}
	c.until("the node is idle", func() bool { return c.ask("sinfo", "-h", "-o", "%t") == "idle" })
	return c
}

// run returns what a command prints.
func (c *cluster) run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (c *cluster) ask(name string, args ...string) string {
	c.t.Helper()
	out, err := c.run(name, args...)
	if err != nil {
		c.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func (c *cluster) until(what string, f func() bool) {
	c.t.Helper()
	for end := time.Now().Add(5 * time.Minute); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not in 5 minutes: %s", what)
		}
	}
}

// submit is sbatch with room for every share on the one node.
func (c *cluster) submit(args ...string) string {
	c.t.Helper()
	return c.ask("sbatch", append([]string{"--parsable", "--cpus-per-task=2", "--mem=1G", "--output=" + filepath.Join(c.dir, "job-%A-%a.log")}, args...)...)
}

// The job array, on a real Slurm of one node: merged it is a single run; a share that
// was killed is named by infer merge, and goes on when it is submitted again.
func TestSlurm(t *testing.T) {
	if os.Getenv("NORMSWAP_SLURM") == "" {
		t.Skip("starts Slurm with NORMSWAP_SLURM=1 only")
	}
	for _, name := range []string{"slurmctld", "slurmd", "sbatch", "squeue", "scancel"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s on this machine (Debian: slurm-wlm)", name)
		}
	}
	c := startSlurm(t)
	t.Log(c.ask("sbatch", "--version"))
	models := []string{testdata.Path(t, "trained/stories260K-F32.gguf"), testdata.Path(t, "trained/nano-sort-85k-F32.gguf")}
	text := filepath.Join(c.dir, "text.txt") // letters that both models know
	if err := os.WriteFile(text, []byte(strings.Repeat("CABBACACBBA", 6000)), 0o644); err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, "MODELS="+strings.Join(models, " "), "TEXT="+text)
	parts := func(args ...string) []string {
		all, err := filepath.Glob(filepath.Join(c.dir, "parts", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return append(args, all...)
	}

	job := c.submit("--array=0-13", "sweep.sbatch")
	c.until("share 3 runs", func() bool { return c.ask("squeue", "-h", "-j", job+"_3", "-t", "R", "-o", "%A") != "" })
	c.ask("scancel", "--signal=KILL", "--full", job+"_3")
	c.until("the array is through", func() bool { out, err := c.run("squeue", "-h", "-j", job); return err != nil || out == "" })
	if n := len(parts()); n != 13 {
		t.Errorf("%d parts", n)
	}
	if out, err := c.run(c.infer, parts("merge", "--models")...); err == nil || !strings.HasSuffix(out, "missing: 3/7 of stories260K-F32") {
		t.Errorf("merged without share 3: %v, %s", err, out)
	}
	c.env = append(c.env, "SHARDS=14")
	c.submit("--wait", "--array=3", "sweep.sbatch")
	c.submit("--wait", "merge.sbatch")

	read := func(b []byte, err error) (v map[string]any) {
		if err == nil {
			err = json.Unmarshal(b, &v)
		}
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	merged := read(os.ReadFile(filepath.Join(c.dir, "parts", "report", "geometry.json")))
	single := exec.Command(c.infer, append(append([]string{"geometry"}, models...), "-f", text, "--json")...)
	sameFigures(t, "", merged, read(single.Output()))
}

// sameFigures checks that two documents are one: whole numbers and texts exactly,
// others to 1e-9 of their size.
func sameFigures(t *testing.T, path string, merged, whole any) {
	t.Helper()
	switch w := whole.(type) {
	case map[string]any:
		m, _ := merged.(map[string]any)
		for k := range m {
			if _, ok := w[k]; !ok && k != "shards" {
				t.Errorf("%s.%s is there when merged only", path, k)
			}
		}
		for k := range w {
			sameFigures(t, path+"."+k, m[k], w[k])
		}
	case []any:
		m, _ := merged.([]any)
		if len(m) != len(w) {
			t.Errorf("%s: %d and %d elements", path, len(m), len(w))
			return
		}
		for i := range w {
			sameFigures(t, fmt.Sprintf("%s[%d]", path, i), m[i], w[i])
		}
	case float64:
		m, ok := merged.(float64)
		if !ok || math.Abs(m-w) > 1e-9*max(1, math.Abs(w)) || w == math.Trunc(w) && math.Abs(w) >= 1 && m != w {
			t.Errorf("%s: merged %v, whole %v", path, merged, w)
		}
	default:
		if !reflect.DeepEqual(merged, whole) {
			t.Errorf("%s: merged %v, whole %v", path, merged, whole)
		}
	}
}
