"""Runs lm-evaluation-harness on norm_cloze against infer serve and compares every
log-likelihood with those of `infer score`, and for SmolLM2 with those of the
harness's own back end (expected.json).

compare.py URL NAME MODEL INFER NORM... [--expected]
"""
import json
import os
import subprocess
import sys
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

here = Path(__file__).resolve().parent
os.chdir(here)  # the task names its file so


def harness(url, model):
    """The log-likelihoods of all choices, and the accuracies."""
    r = simple_evaluate(
        model="local-completions",
        model_args={"model": model, "base_url": url + "/v1/completions", "tokenizer_backend": "remote", "num_concurrent": 1},
        tasks=["norm_cloze"], task_manager=TaskManager(include_path=str(here), include_defaults=False), bootstrap_iters=0,
    )
    samples = sorted(r["samples"]["norm_cloze"], key=lambda s: s["doc_id"])
    found = r["results"]["norm_cloze"]
    return [[c[0] for c in s["filtered_resps"]] for s in samples], found["acc,none"], found["acc_norm,none"]


def native(infer, model, norm):
    """The same of infer score."""
    out = subprocess.run([infer, "score", model, str(here / "cloze.jsonl"), "--act", "f32", "--norm", norm, "--json"], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    n = len(rows)
    return [r["logprobs"] for r in rows], sum(r["best"] == r["answer"] for r in rows) / n, sum(r["best_by_length"] == r["answer"] for r in rows) / n


def distance(a, b):
    return max(abs(x - y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def main():
    url, name, model, infer, *norms = [a for a in sys.argv[1:] if a != "--expected"]
    bad = []
    first = None
    for norm in norms:
        served, acc, acc_norm = harness(url, name if norm == "native" else f"{name}:{norm}")
        scored, acc2, acc_norm2 = native(infer, model, norm)
        apart = distance(served, scored)
        first = first or served
        print(f"{name} {norm}: acc {acc:.4f}, acc_norm {acc_norm:.4f}; infer score is {apart:.1e} away, native {distance(served, first):.1e}")
        if apart > 1e-9 or (acc, acc_norm) != (acc2, acc_norm2):
            bad.append(f"{norm}: infer score says {acc2}, {acc_norm2}")
        if norm == "rms-folded" and distance(served, first) > 1e-4:
            bad.append("rms-folded is not native")
    if "--expected" in sys.argv:
        want = json.loads((here / "expected.json").read_text())["loglikelihood"]
        apart = distance(first, want)
        print(f"{name} native: the harness's hf back end is {apart:.1e} away")
        if apart > 0.01:
            bad.append("the hf back end differs")
    sys.exit("; ".join(bad) or 0)


main()
