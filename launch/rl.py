"""Trains one policy per task by reinforcement learning and stops it early.

  python -m launch.rl
  python -m launch.rl --tasks=open_drawer --stop_at=0.7 --out=mine.safetensors

Stopped policies nearly do their task: they give failures that are close to
successes, the source 'rl' of robot clips. All go into one file, with a card
(.json) beside it. A task that is there with the same settings is skipped, so a
command that was stopped or killed goes on where it was.
"""

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r.runs import stopped_policies
  from a2r.sim.tabletop import tasks

_TASKS = flags.DEFINE_list("tasks", [], "Names of tasks; all if none.")
_OUT = flags.DEFINE_string(
  "out", "a2r/assets/stopped_policies.safetensors", "The file of the policies."
)
_STOP_AT = flags.DEFINE_float(
  "stop_at", 0.5, "Share of successes in tabletop/train at which to stop.", 0, 1
)
_NUM_STEPS = flags.DEFINE_integer(
  "num_steps",
  600_000,
  "Timesteps per task after which to stop anyway.",
  1,
  2**31 - 1,
)
_SEED = flags.DEFINE_integer("seed", 0, "Of all randomness.", 0, 2**32 - 1)


def main():
  """Reads the flags, trains and prints how the policies do."""
  path = checks.path(_OUT.value)
  names = _TASKS.value or list(tasks.TASKS)
  if path.suffix != ".safetensors":
    raise ValueError(f"--out must end in .safetensors, got {path}")
  for name in names:
    tasks.get(name)  # Known, or a KeyError that lists them.
  for name in names:
    is_new = stopped_policies.train(
      name,
      path,
      seed=_SEED.value,
      stop_at=_STOP_AT.value,
      num_steps=_NUM_STEPS.value,
    )
    if not is_new:
      print(f"{name} is in {path} already.")
  print("Success, and how near the hand came in cm:")
  for task, row in stopped_policies.read_card(path).items():
    figures = (
      f"{name} {figure['success']:.2f} {100 * figure['approach']:.1f}"
      for name, figure in row["judged"].items()
    )
    print(f"{task:23} {row['env_steps']:7} steps  {'  '.join(figures)}")


if __name__ == "__main__":
  app.run(main)
