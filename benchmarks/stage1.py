"""What makes the small backbone see: short trainings, one setting changed each.

  python -m benchmarks.stage1 --trials=plain,muon
  python -m benchmarks.stage1 --report

A trial is `launch.pretrain` with the settings below, in runs/stage1/<name>; a
finished one is not run again. The report reads what they left, writes
benchmarks/results/stage1.json and prints the table of docs/backbone.md.
"""

import json
import pathlib
import subprocess
import sys

from absl import app, flags

from benchmarks import results

_TRIALS = flags.DEFINE_list("trials", [], "Names of trials, or all.")
_REPORT = flags.DEFINE_bool("report", False, "Only print the table.")
_FOLDER = pathlib.Path("runs/stage1")
_COLUMNS = ("top1", "opposites", "reversed_opposites", "paraphrases")

_BASE = {
  "train.num_steps": 400,
  "train.epoch_steps": 400,
  "optim.decay_steps": 120,
  "eval.clips_per_template": 12,
}
_PLAIN = {
  "model.backbone.stem_patch": 0,
  "model.backbone.stem_features": (32, 64, 128, 128),
  "loss.mirror": False,
  "loss.target_weight": 0.0,
  "optim.rule": "adamw",
  "optim.learning_rate": 1e-3,
  "model.backbone.num_frames": 4,
  "model.backbone.vision_layers": 1,
}
_SQUARES = _PLAIN | {
  "model.backbone.stem_patch": 4,
  "model.backbone.stem_features": (96, 128, 128),
}
_MUON = _SQUARES | {"optim.rule": "muon", "optim.learning_rate": 2e-3}
_TARGETS = _MUON | {"loss.target_weight": 1.0}
_LEAN = _TARGETS | {"model.backbone.vision_layers": 0}
_MIRROR = _TARGETS | {"loss.mirror": True}

TRIALS = {
  "plain": _PLAIN,
  "small_squares": _PLAIN | {"model.backbone.stem_patch": 2},
  "squares": _SQUARES,
  "muon": _MUON,
  "muon_slow": _MUON | {"optim.learning_rate": 1e-3},
  "muon_fast": _MUON | {"optim.learning_rate": 4e-3},
  "targets": _TARGETS,
  "mirror": _MIRROR,
  "large_pictures": _TARGETS | {"model.backbone.image_size": 96},
  "no_vision_layer": _LEAN,
  "eight_frames": _LEAN | {"model.backbone.num_frames": 8},
  "shipped": {},
  "two_vision_layers": _TARGETS | {"model.backbone.vision_layers": 2},
  "more_channels": _TARGETS | {"model.backbone.stem_features": (128, 192, 256)},
  "colors": _LEAN | {"loss.color": 0.4},
  "crops": _LEAN | {"loss.crop": 0.15},
  "batch_96": _TARGETS | {"train.batch_size": 96},
  "no_captions": _TARGETS | {"loss.caption_weight": 0.0},
}


def main(argv):
  """Runs trials, or prints the table of those that are done."""
  del argv
  names = list(TRIALS) if _TRIALS.value == ["all"] else _TRIALS.value
  unknown = sorted(set(names) - set(TRIALS))
  if unknown:
    raise ValueError(f"unknown trials {unknown}; known: {list(TRIALS)}")
  if not _REPORT.value:
    for name in names:
      _run(name)
  _report()


def _run(name: str):
  command = [sys.executable, "-m", "launch.pretrain"]
  command += ["--config=configs/pretrain.py", f"--workdir={_FOLDER / name}"]
  for key, value in (_BASE | TRIALS[name]).items():
    command.append(f"--config.{key}={value}")
  (_FOLDER / name).mkdir(parents=True, exist_ok=True)
  subprocess.run(command, check=True)


def _report():
  rows = []
  for name, settings in TRIALS.items():
    path = _FOLDER / name / "small_backbone.json"
    if path.is_file():
      card = json.loads(path.read_text())
      rows.append(
        {
          "trial": name,
          "settings": settings,
          "steps": card["step"],
          "minutes": round(60 * card["hours"], 1),
          "device": card["device"],
          "parameters": card["num_params"],
        }
        | card["held_out"]
      )
  results.write("stage1", rows, base=_BASE)
  print("| trial | steps | minutes | " + " | ".join(_COLUMNS) + " |")
  print("|---" * (3 + len(_COLUMNS)) + "|")
  for row in rows:
    values = " | ".join(f"{100 * row[name]:.0f}" for name in _COLUMNS)
    print(f"| {row['trial']} | {row['steps']} | {row['minutes']} | {values} |")


if __name__ == "__main__":
  app.run(main)
