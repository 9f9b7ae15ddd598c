# Compares what transformers computes of pairs of folders: prints one line of JSON for
# each pair that stdin names, {"nmse": ..., "class": ...} or {"error": ...}.
import json, sys
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)


def logits(folder, ids):
    try:
        return computed(folder, ids, torch.float64)
    except RuntimeError:  # XGLM's mask does not take float64
        return computed(folder, ids, torch.float32)


def computed(folder, ids, dtype):
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    bad = {k: sorted(v) for k, v in info.items() if v and k in ("missing_keys", "mismatched_keys", "unexpected_keys")}
    with torch.no_grad():
        return type(model).__name__, bad, model.eval()(torch.tensor([ids])).logits


for line in sys.stdin:
    task = json.loads(line)
    try:
        _, _, want = logits(task["source"], task["ids"])
        name, bad, got = logits(task["export"], task["ids"])
        result = {"nmse": float(((got - want) ** 2).sum() / (want ** 2).sum()), "class": name, "bad": bad}
    except Exception as e:
        result = {"error": f"{type(e).__name__}: {e}"[:300]}
    print(json.dumps(result), flush=True)
