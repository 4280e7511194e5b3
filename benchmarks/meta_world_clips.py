"""Films Meta-World's scripted policies, as a stranger's robot for the reward.

  python -m venv meta_world
  meta_world/bin/pip install -r benchmarks/requirements-meta_world.txt
  meta_world/bin/python benchmarks/meta_world_clips.py --out=meta_world_clips

Runs without this project: Meta-World (Yu et al., CoRL 2019; the package
`metaworld`) pins another MuJoCo. Each clip is a file TASK/SOURCE-NUMBER.npz:
`frames` uint8 `[3, 16, 96, 96, 3]` from the three `CAMERAS`, evenly from the
start to a little after success, and `success`. What is there is not made again,
and clip NUMBER of a task and source depends on these alone.

Sources are the scripted policy with noise (expert, all successes), near misses
of two kinds (the policy frozen on its way; the policy pushed to one side),
random actions, and rest.
"""

import argparse
import os
import pathlib
import warnings
import zlib

os.environ.setdefault("MUJOCO_GL", "egl")

import metaworld
import mujoco
import numpy as np
from metaworld import policies

# The first is what a reward is adapted from; the second looks from the same
# side of the table, the third from the other.
CAMERAS = ("corner3", "corner2", "corner")
TASKS = (
  "button-press",
  "coffee-pull",
  "coffee-push",
  "door-close",
  "door-open",
  "drawer-close",
  "drawer-open",
  "faucet-close",
  "faucet-open",
  "handle-press",
  "plate-slide",
  "push",
  "window-close",
  "window-open",
)
SOURCES = ("expert", "frozen", "pushed", "random", "still")
_NUM_FRAMES, _SIZE = 16, 96
_MOST_STEPS, _AFTER = 200, 10
_NOISE, _PUSH = 0.1, 0.6
_FROZEN = (0.4, 0.95)  # Least and most of the way.
_TRIES = 50


class Scene:
  """A task's environment, with pictures."""

  def __init__(self, task: str):
    """Makes it."""
    makers = metaworld.ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
    self.env = makers[f"{task}-v3-goal-observable"](seed=0)
    # A start and a goal of its own for every seed, not the constructor's.
    self.env._freeze_rand_vec, self.env.seeded_rand_vec = False, True
    self.policy = policies.ENV_POLICY_MAP[f"{task}-v3"]()
    quality = self.env.model.vis.quality
    # Ten times as fast; twice the size is averaged instead.
    quality.shadowsize = quality.offsamples = 0
    self.renderer = mujoco.Renderer(self.env.model, 2 * _SIZE, 2 * _SIZE)

  def play(self, seed: int, act, num_steps: int):
    """Plays an episode, at most until a little after success.

    Args:
      seed: of the start.
      act: (observation, step) to an action `[4]`.
      num_steps: at most.

    Returns:
      States to draw, and the step of the first success, or None.
    """
    env = self.env
    env.seed(seed)
    observation, _ = env.reset()
    states, done = [env.get_env_state()], None
    for step in range(num_steps):
      action = np.clip(act(observation, step), -1, 1).astype(np.float32)
      observation, *_, info = env.step(action)
      states.append(env.get_env_state())
      if info["success"] > 0 and done is None:
        done = step
      if done is not None and step == done + _AFTER:
        break
    return states, done

  def draw(self, states) -> np.ndarray:
    """Draws evenly chosen states from all cameras."""
    rows = np.linspace(0, len(states) - 1, _NUM_FRAMES).round().astype(int)
    frames = []
    for row in rows:
      self.env.set_env_state(states[row])
      mujoco.mj_forward(self.env.model, self.env.data)
      for camera in CAMERAS:
        self.renderer.update_scene(self.env.data, camera)
        image = self.renderer.render()[::-1, ::-1]  # They hang upside down.
        image = image.reshape(_SIZE, 2, _SIZE, 2, 3).mean(axis=(1, 3))
        frames.append(image.round().astype(np.uint8))
    shape = (_NUM_FRAMES, len(CAMERAS), _SIZE, _SIZE, 3)
    return np.swapaxes(np.reshape(frames, shape), 0, 1)


def make_clip(scene: Scene, task: str, source: str, number: int):
  """Returns frames and success of the first try that fits the source."""
  key = zlib.crc32(f"{task}/{source}".encode())
  for attempt in range(_TRIES):
    rng = np.random.default_rng([key, number, attempt])
    seed = int(rng.integers(2**31))
    # A door closes whatever pushes the hand a little.
    push = _PUSH * (1 + attempt // 10)
    states, done = _play(scene, source, seed, rng, push)
    if (done is not None) == (source == "expert"):
      return scene.draw(states), done is not None
  raise RuntimeError(f"{task}: no {source} clip in {_TRIES} tries")


def _play(scene, source, seed, rng, push):
  def expert(observation, step):
    del step
    noise = rng.normal(size=4) * _NOISE
    return scene.policy.get_action(observation) + noise

  states, done = scene.play(seed, expert, _MOST_STEPS)
  if source == "expert" or done is None:
    return states, done
  # As long as the success of the same start, so that length tells nothing.
  num_steps = done + _AFTER
  last = int(rng.uniform(*_FROZEN) * done)
  angle = rng.uniform(0, 2 * np.pi)
  aside = push * np.array([np.cos(angle), np.sin(angle), 0, 0])
  drift = rng.uniform(-1, 1, 4)
  acts = {
    "frozen": lambda x, n: expert(x, n) if n < last else np.zeros(4),
    "pushed": lambda x, n: expert(x, n) + aside,
    "random": lambda x, n: drift + rng.uniform(-1, 1, 4),
    "still": lambda x, n: np.zeros(4),
  }
  return scene.play(seed, acts[source], num_steps)


def main():
  """Reads the arguments and films."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--tasks", default=",".join(TASKS))
  parser.add_argument(
    "--clips",
    default="28,9,9,6,4",
    help=f"numbers of clips a task: {', '.join(SOURCES)}",
  )
  arguments = parser.parse_args()
  warnings.simplefilter("ignore")  # Of Meta-World, about its own policies.
  numbers = [int(number) for number in arguments.clips.split(",")]
  for task in arguments.tasks.split(","):
    folder = arguments.out / task
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(task)
    for source, count in zip(SOURCES, numbers, strict=True):
      for number in range(count):
        path = folder / f"{source}-{number}.npz"
        if not path.exists():
          frames, success = make_clip(scene, task, source, number)
          part = path.with_suffix(".partial.npz")
          np.savez_compressed(part, frames=frames, success=success)
          part.rename(path)
    print(task, flush=True)


if __name__ == "__main__":
  main()
