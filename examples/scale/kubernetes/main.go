// Command kubernetes checks manifests of Jobs by the types of Kubernetes' own API: a
// field that there is not, or of another type, is an error, and so is what the
// API server refuses of a Job.
//
//	kubernetes FILE...
package main

import (
	"fmt"
	"os"
	"strings"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "kubernetes: %s: %v\n", path, err)
			os.Exit(1)
		}
		fmt.Println(path, "is a Job of batch/v1")
	}
}

func check(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var job batch.Job
	if err := yaml.UnmarshalStrict(b, &job); err != nil {
		return err
	}
	var faults []string
	fault := func(is bool, what string) {
		if is {
			faults = append(faults, what)
		}
	}
	s, pod := &job.Spec, &job.Spec.Template.Spec
	fault(job.APIVersion != batch.SchemeGroupVersion.String() || job.Kind != "Job", "it is no Job of batch/v1")
	fault(job.Name == "", "it has no name")
	fault(pod.RestartPolicy != core.RestartPolicyNever && pod.RestartPolicy != core.RestartPolicyOnFailure, "restartPolicy must be Never or OnFailure")
	fault(s.BackoffLimitPerIndex != nil && (s.CompletionMode == nil || *s.CompletionMode != batch.IndexedCompletion), "backoffLimitPerIndex needs Indexed completions")
	fault(s.BackoffLimitPerIndex != nil && pod.RestartPolicy != core.RestartPolicyNever, "backoffLimitPerIndex needs restartPolicy Never")
	fault(s.CompletionMode != nil && *s.CompletionMode == batch.IndexedCompletion && s.Completions == nil, "Indexed completions need their number")
	fault(len(pod.Containers) == 0, "it has no container")
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range pod.Containers {
		fault(c.Image == "" || c.Name == "", "a container has no image or name")
		for _, m := range c.VolumeMounts {
			fault(!volumes[m.Name], "there is no volume "+m.Name)
		}
	}
	if faults != nil {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}
