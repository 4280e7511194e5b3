"""Makes the .pth files beside it from singularity_tiny.npz; wants PyTorch.

  pip install torch omegaconf && python tests/golden/make_torch_files.py

singularity_tiny.pth is laid out as the published files are: weights, the state
of an optimizer, of a scheduler and of a gradient scaler, and a configuration
object. singularity_tiny_pretrain.pth has the layout of pre-training, in half
precision, its word table shared with the masked-language head.
"""

import collections
import pathlib

import numpy as np
import omegaconf
import torch

FOLDER = pathlib.Path(__file__).parent


def main():
  with np.load(FOLDER / "singularity_tiny.npz") as arrays:
    state = _state(arrays, "sd/")
    extra = _state(arrays, "sd_pretrain_extra/")
  weight = torch.nn.Parameter(torch.ones(2, 3))
  optimizer = torch.optim.AdamW([weight], lr=1e-4)
  weight.sum().backward()
  optimizer.step()
  scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
  settings = {"num_frames": 4, "optimizer": {"lr": 1e-4, "betas": [0.9, 0.999]}}
  rest = {
    "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(),
    "scaler": {"scale": 65536.0, "_growth_tracker": 0},
    "config": omegaconf.OmegaConf.create(settings),
    "epoch": 9,
    "global_step": 100,
  }
  torch.save({"model": state} | rest, FOLDER / "singularity_tiny.pth")
  torch.save(
    {"model": _pretraining(state, extra)} | rest,
    FOLDER / "singularity_tiny_pretrain.pth",
  )


def _state(arrays, prefix):
  return collections.OrderedDict(
    (name.removeprefix(prefix), torch.from_numpy(arrays[name]))
    for name in arrays
    if name.startswith(prefix)
  )


def _pretraining(state, extra):
  state = {
    key.replace("text_encoder.", "text_encoder.bert.", 1): value.half()
    if value.is_floating_point()
    else value
    for key, value in state.items()
  }
  head = "text_encoder.cls.predictions"
  words = state["text_encoder.bert.embeddings.word_embeddings.weight"]
  bias = extra[f"{head}.bias"].half()
  extra = {key: value.half() for key, value in extra.items()}
  extra |= {f"{head}.bias": bias, f"{head}.decoder.bias": bias}
  return state | extra | {f"{head}.decoder.weight": words}


if __name__ == "__main__":
  main()
