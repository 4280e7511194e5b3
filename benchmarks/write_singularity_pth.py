"""Writes a file like the published ones, random, of full size; wants PyTorch.

  pip install torch && python benchmarks/write_singularity_pth.py /tmp/base.pth

Keys and shapes are those of the released code (tests/golden), with the moments
of AdamW, which make it three times as large, as the checkpoints of training
are. The pre-training layout: --layout=pretrain. Imports nothing of ours.
"""

import argparse
import ast
import pathlib

import torch

KEYS = pathlib.Path(__file__).parents[1] / "tests/golden/singularity_keys.tsv"


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("path")
  parser.add_argument("--layout", default="retrieval")
  parser.add_argument("--without_optimizer", action="store_true")
  options = parser.parse_args()
  torch.manual_seed(0)
  state = make_state(options.layout)
  stored = {"model": state, "epoch": 9, "global_step": 1000}
  if not options.without_optimizer:
    moments = [
      {
        "step": 1000,
        "exp_avg": torch.randn_like(value),
        "exp_avg_sq": torch.rand_like(value),
      }
      for value in state.values()
      if value.is_floating_point()
    ]
    stored["optimizer"] = {"state": dict(enumerate(moments))}
  torch.save(stored, options.path)
  print(f"{len(state)} keys, {pathlib.Path(options.path).stat().st_size} bytes")


def make_state(layout):
  """Key -> random tensor of the published shape."""
  state = {}
  for line in KEYS.read_text().splitlines():
    row = line.split("\t")
    if row[0] == layout:
      state[row[1]] = make_tensor(row[1], ast.literal_eval(row[2]), row[3])
  for key in state:
    if key.endswith("predictions.decoder.weight"):
      words = "text_encoder.bert.embeddings.word_embeddings.weight"
      state[key] = state[words]
    elif key.endswith("predictions.decoder.bias"):
      state[key] = state[key.replace("decoder.", "")]
  return state


def make_tensor(key, shape, dtype):
  if dtype == "int64":
    return torch.arange(torch.Size(shape).numel()).reshape(shape)
  tensor = torch.randn(shape) * 0.02
  if key == "temp":
    return torch.tensor(0.07)
  norm = key.endswith("norm.weight") or "layernorm_" in key and "weight" in key
  return tensor + 1 if norm or key.endswith("LayerNorm.weight") else tensor


if __name__ == "__main__":
  main()
