"""What a better backbone buys, and what each loss buys on top of it.

  python -m benchmarks.backbones --backbones=runs/pretrain/snapshots
  python -m benchmarks.backbones --study=clips --methods=bce,prompts
  python -m benchmarks.backbones --report

Adapts each backbone to the robot with each method and judges the reward in the
four environments of configs/envgen.py. A run is one line of
benchmarks/results/backbones.jsonl; finished ones are found again, so this can
be killed and continued, and --shard=0/2 and --shard=1/2 share the runs between
two processes. A study changes one setting; its usual value is the main study's
run. The report writes benchmarks/results/backbones.json and
docs/backbone_auroc.png, and prints tables in Markdown.
"""

import json
import pathlib
import zlib
from typing import Any

import safetensors
from absl import flags

from a2r.runs import weights as weight_files
from benchmarks import adaptation, backbones_report
from configs import envgen
from launch import app

_BACKBONES = flags.DEFINE_list(
  "backbones", [], "Files or folders of *.safetensors; that of the project."
)
_METHODS = flags.DEFINE_list("methods", [], "Of METHODS; all by default.")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds.")
_STUDY = flags.DEFINE_list("study", ["main"], "Of STUDIES.")
_SHARD = flags.DEFINE_string("shard", "0/1", "This process's share: i/n.")
_REPORT = flags.DEFINE_bool("report", False, "Write the report, run nothing.")
_STEPS = flags.DEFINE_integer(
  "adapt_steps", None, "Steps of a run; those of configs/envgen.py by default."
)
_RESULTS = flags.DEFINE_string(
  "results",
  str(pathlib.Path(__file__).parent / "results" / "backbones.jsonl"),
  "One line per run.",
)
_PLOT = flags.DEFINE_string("plot", "docs/backbone_auroc.png", "The plot.")

# Loss weights; without any nothing is trained.
METHODS = {
  "zero_shot": {},
  "vlc": {"vlc": 1.0},
  "vlc_cdc": {"vlc": 1.0, "cdc": 1.0},
  "bce": {"vlc": 1.0, "cdc": 1.0, "bce": 1.0},
  "prompts": {"vlc": 1.0, "cdc": 1.0, "fvlc": 1.0},
  "prompts_bce": {"vlc": 1.0, "cdc": 1.0, "fvlc": 1.0, "bce": 1.0},
}
_UNSEEN = {
  "data.robot.tasks": ("open_drawer", "push_cup_right_to_left", "poke_cup"),
  "data.human.templates": (
    *envgen.HUMAN_TEMPLATES,
    "Poking something so lightly that it doesn't or almost doesn't move",
  ),
}
_CLIPS = {
  "successes": 90,
  "failures": 90,
  "success_sources": ("expert",),
  "random_sources": ("random",),
}
# Study -> value -> settings that differ from configs/envgen.py.
STUDIES: dict[str, dict[str, dict[str, Any]]] = {
  "main": {"": {}},
  "clips": {
    "8+8": {"data.robot.successes": 8, "data.robot.failures": 8},
    "20+20": {"data.robot.successes": 20, "data.robot.failures": 20},
    "90+90": {},
  },
  "clusters": {
    "1": {"model.num_failure_prompts": 1},
    "2": {"model.num_failure_prompts": 2},
    "3": {},
    "4": {"model.num_failure_prompts": 4},
    "5": {"model.num_failure_prompts": 5},
  },
  "length": {
    "1": {},
    "2": {"model.failure_prompt_length": 2},
    "4": {"model.failure_prompt_length": 4},
  },
  "weight": {
    "0.3": {"loss.weights.fvlc": 0.3},
    "1": {},
    "3": {"loss.weights.fvlc": 3.0},
  },
  "tasks": {"4 targets": {}, "3 others": _UNSEEN},
}
# What a study's setting is about; other methods are those of the main study.
_ABOUT_PROMPTS = ("clusters", "length", "weight")


def find_backbones(names: list[str]) -> list[pathlib.Path]:
  """The files that are named or lie in the folders, in order."""
  files = []
  for name in names or [weight_files.shipped_backbone()]:
    path = pathlib.Path(name).expanduser()
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not all(file.is_file() for file in found) or not found:
      raise FileNotFoundError(f"no backbone (*.safetensors): {path}")
    files += found
  return files


def list_runs(
  backbones: list[pathlib.Path],
  methods: list[str],
  seeds: list[int],
  studies: list[str],
  num_steps: int | None = None,
) -> list[dict[str, Any]]:
  """What is to be run, each once: the plain values that name a run.

  Seeds come first, so that a few runs show the whole picture. Zero-shot has
  no randomness but that of its clips, which are the same for all seeds.
  """
  runs = {}
  for seed in seeds:
    for file in backbones:
      card = _describe(file)
      for study in studies:
        for settings in STUDIES[study].values():
          for method in methods:
            zero = method == "zero_shot"
            about_prompts = study in _ABOUT_PROMPTS
            if zero and (seed != seeds[0] or settings):
              continue
            if about_prompts and "fvlc" not in METHODS[method]:
              continue
            run = card | {
              "method": method,
              "seed": seed,
              "settings": settings,
              "num_steps": num_steps,
            }
            runs[key_of(run)] = run
  return list(runs.values())


def key_of(run: dict[str, Any]) -> str:
  """What tells runs apart; also of a stored line."""
  names = ("backbone", "crc", "method", "seed", "settings", "num_steps")
  return json.dumps([run[name] for name in names], sort_keys=True)


def make_config(run: dict[str, Any], file: pathlib.Path) -> Any:
  """The settings of a run."""
  config = envgen.get_config()
  config.seed = run["seed"]
  # Scripted successes alone: what the losses are, not what a planner needs.
  config.data.robot.update(_CLIPS)
  config.model.init = str(file)
  config.loss.weights.update(dict.fromkeys(config.loss.weights, 0.0))
  weights = METHODS[run["method"]]
  if weights:
    config.loss.weights.update(weights)
  else:
    # As the backbone is: with neither an update nor an untrained prompt.
    config.loss.weights.vlc = 1.0
    config.train.num_steps = 0
    config.model.domain_prompt_length = 0
  if weights and run["num_steps"]:
    share = run["num_steps"] / config.train.num_steps
    for part, name in (
      (config.optim, "warmup_steps"),
      (config.train, "epoch_steps"),
      (config.train, "num_steps"),
    ):
      part[name] = round(share * part[name])
  config.update_from_flattened_dict(run["settings"])
  return config


def read(path: pathlib.Path) -> list[dict[str, Any]]:
  """The finished runs; [] without a file."""
  if not path.exists():
    return []
  return [json.loads(line) for line in path.read_text().splitlines()]


def append(path: pathlib.Path, row: dict[str, Any]):
  """Adds a line, whole: several processes may do so at once."""
  path.parent.mkdir(exist_ok=True, parents=True)
  with path.open("ab", buffering=0) as file:
    file.write((json.dumps(row) + "\n").encode())


def _describe(file: pathlib.Path) -> dict[str, Any]:
  """Name, checksum and stage-1 accuracy of a backbone."""
  with safetensors.safe_open(file, "numpy") as stored:
    card = json.loads(stored.metadata()["card"])
  return {
    "backbone": file.stem,
    "crc": f"{zlib.crc32(file.read_bytes()):08x}",
    "top1": card["held_out"]["top1"],
  }


def _run_all(path: pathlib.Path):
  files = find_backbones(_BACKBONES.value)
  runs = list_runs(
    files,
    _METHODS.value or list(METHODS),
    [int(seed) for seed in _SEEDS.value],
    _STUDY.value,
    _STEPS.value,
  )
  done = {key_of(row) for row in read(path)}
  left = [run for run in runs if key_of(run) not in done]
  index, count = (int(part) for part in _SHARD.value.split("/"))
  left = [run for i, run in enumerate(left) if i % count == index]
  print(f"{len(runs)} runs, {len(runs) - len(left)} done or of other shards")
  if not left:
    return
  files = {(file.stem, _describe(file)["crc"]): file for file in files}
  runner = adaptation.Runner(envgen.get_config())
  for run in left:
    config = make_config(run, files[run["backbone"], run["crc"]])
    result = runner(config)
    append(path, run | _rounded(result._asdict()))
    figures = result.figures[result.form].values()
    aurocs = " ".join(f"{one['auroc']:.3f}" for one in figures)
    print(f"{_name(run)}: {aurocs} ({result.seconds:.1f} s)", flush=True)


def _name(run) -> str:
  parts = run["backbone"], run["method"], run["seed"], *run["settings"].values()
  return " ".join(map(str, parts))


def _rounded(value: Any) -> Any:
  if isinstance(value, dict):
    return {key: _rounded(one) for key, one in value.items()}
  return round(value, 5) if isinstance(value, float) else value


def main():
  """Runs what is missing, or reports."""
  path = pathlib.Path(_RESULTS.value)
  for flag, known in ((_METHODS, METHODS), (_STUDY, STUDIES)):
    unknown = [name for name in flag.value if name not in known]
    if unknown:
      raise ValueError(f"unknown {unknown}; known: {', '.join(known)}")
  if _REPORT.value:
    rows = read(path)
    backbones_report.write(rows, STUDIES, path, _PLOT.value)
  else:
    _run_all(path)


if __name__ == "__main__":
  app.run(main)
