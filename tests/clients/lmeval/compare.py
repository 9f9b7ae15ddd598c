"""Runs lm-evaluation-harness against infer serve and compares every log-likelihood with
those of `infer score`, for SmolLM2 also with those of the harness's own back end
(expected.json).

compare.py URL NAME MODEL INFER NORM... [--expected]
"""
import json
import os
import subprocess
import sys
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.tasks.hellaswag import utils as hellaswag
from lm_eval.tasks.winogrande import preprocess_winogrande as winogrande

here = Path(__file__).resolve().parent
os.chdir(here)

# The tasks as the harness has them, with questions of our own.
fields = {
    "cloze": {"doc_to_text": "{{context}}", "doc_to_choice": "{{choices}}", "doc_to_target": "{{answer}}", "target_delimiter": " "},
    "hellaswag": {"process_docs": hellaswag.process_docs, "doc_to_text": "{{query}}", "doc_to_choice": "choices", "doc_to_target": "{{label}}"},
    "arc": {"doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_choice": "{{choices.text}}", "doc_to_target": "{{choices.label.index(answerKey)}}"},
    "winogrande": {"doc_to_text": winogrande.doc_to_text, "doc_to_choice": winogrande.doc_to_choice, "doc_to_target": winogrande.doc_to_target},
}


def harness(url, model, tasks):
    """By task the log-likelihoods of all choices, and the accuracies."""
    configs = [{
        "task": task, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": task + ".jsonl"}}, "test_split": "test",
        "output_type": "multiple_choice", "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in metrics(task)],
        **fields[task],
    } for task in tasks]
    r = simple_evaluate(
        model="local-completions",
        model_args={"model": model, "base_url": url + "/v1/completions", "tokenizer_backend": "remote", "num_concurrent": 1},
        tasks=configs, task_manager=TaskManager(include_defaults=False), bootstrap_iters=0,
    )
    found = {}
    for task in tasks:
        samples = sorted(r["samples"][task], key=lambda s: s["doc_id"])
        found[task] = [[c[0] for c in s["filtered_resps"]] for s in samples], [r["results"][task][m + ",none"] for m in metrics(task)]
    return found


def metrics(task):
    return ["acc"] if task == "winogrande" else ["acc", "acc_norm"]


def score(infer, model, norm, task):
    """The same of infer score."""
    out = subprocess.run([infer, "score", model, task + ".jsonl", "--act", "f32", "--norm", norm, "--json"], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return [r["logprobs"] for r in rows], [sum(r[best] == r["answer"] for r in rows) / len(rows) for best in ("best", "best_by_length")]


def distance(a, b):
    return max(abs(x - y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def main():
    url, name, model, infer, *norms = [a for a in sys.argv[1:] if a != "--expected"]
    expected = "--expected" in sys.argv
    bad = []
    first = {}
    for norm in norms:
        for task, (served, right) in harness(url, name if norm == "native" else f"{name}:{norm}", ["cloze"] if expected else list(fields)).items():
            scored, right2 = score(infer, model, norm, task)
            apart, change = distance(served, scored), distance(served, first.setdefault(task, served))
            print(f"{name} {norm}, {task}: accuracy {right}; infer score is {apart:.1e} away, native {change:.1e}")
            if apart > 1e-9 or right != right2[: len(right)]:
                bad.append(f"{task}, {norm}: infer score says {right2}")
            if norm == "rms-folded" and change > 1e-4:
                bad.append(f"{task}: rms-folded is not native")
    if expected:
        apart = distance(first["cloze"], json.loads(Path("expected.json").read_text())["loglikelihood"])
        print(f"{name} native, cloze: the harness's own back end is {apart:.1e} away")
        if apart > 0.01:
            bad.append("the harness's own back end differs")
    sys.exit("; ".join(bad) or 0)


main()
