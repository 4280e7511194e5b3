"""Concept2Robot's table in our physics and in PyBullet's, figure by figure.

  python -m benchmarks.concept_physics

The same starts and the same motions in C MuJoCo (`a2r.sim.concept.physics`) and
in PyBullet with the release's control (`benchmarks.bullet`): where things come
to rest, how the hand follows, whether a grasp holds and lets go, what tips a
tall box, how a roll runs down a slope. Prints a table.

Needs PyBullet (benchmarks/requirements-pybullet.txt).

Letters: B episodes, T control steps.
"""

import dataclasses
import importlib.util

import numpy as np
from absl import flags

from a2r.sim.concept import margins, physics, policies, tasks
from a2r.sim.concept import scene as scene_lib
from benchmarks import bullet
from launch import app

_EPISODES = flags.DEFINE_integer("episodes", 16, "Of each motion.", 1)
_STEPS = (1, 5, 10, 20, 30, 40, 49)
_AWAY = scene_lib.Hand("down", 255, at=(0.42, -0.35, 0.6))
# Things that stand on the table, and half their heights.
_RESTING = {55: 0.035, 57: 0.1, 22: 0.05, 93: 0.024, 53: 0.025}
_TIPPED = np.pi / 6  # Radians.


@dataclasses.dataclass
class Both:
  """The same episodes twice, `[2, B, T+1, ...]`: ours and PyBullet's."""

  asked: np.ndarray  # `[B, T, 3]` where the flange shall be.
  flange: np.ndarray  # `[2, B, T+1, 3]`.
  position: np.ndarray  # `[2, B, T+1, 3]` of the object.
  rotation: np.ndarray  # `[2, B, T+1, 3, 3]`.
  held: np.ndarray  # bool `[2, B, T+1]`: both pads touch it.


def play(scene: scene_lib.Scene, goals: np.ndarray) -> Both:
  """Plays goals `[B, 7]`, without forces, in both."""
  num = len(goals)
  start = policies.sample_start(scene, [[0, n] for n in range(num)])
  actions = np.zeros((num, physics.ACTION_SIZE), np.float32)
  actions[:, : physics.GOAL_SIZE] = goals
  flange = start.positions[:, -1], start.quats[:, -1]
  motion = physics.make_motion(*flange, start.arm, actions, scene.hand.grip)
  record = margins.Record(scene, physics.play(scene, start, actions))
  ours = (
    record.position("flange"),
    record.position(margins.OBJECT),
    record.rotation(margins.OBJECT),
    margins.held(record) > 0,
  )
  commands = bullet.commands(motion)
  theirs = _play_bullet(scene, start, commands)
  return Both(
    commands[0], *(np.stack(pair) for pair in zip(ours, theirs, strict=True))
  )


def _play_bullet(scene, start, commands):
  table = bullet.Table(scene)
  episodes = []
  for row in range(len(start.arm)):
    table.reset(start, row)
    states = [table.state()]
    for command in zip(*(x[row] for x in commands), strict=True):
      table.step(*command)
      states.append(table.state())
    episodes.append([np.stack(x) for x in zip(*states, strict=True)])
  table.close()
  return [np.stack(x) for x in zip(*episodes, strict=True)]


def main():
  """Prints a row for each figure: ours and PyBullet's."""
  if importlib.util.find_spec("pybullet") is None:
    raise ValueError(
      "needs PyBullet: pip install -r benchmarks/requirements-pybullet.txt"
    )
  print("| | ours | PyBullet |\n|---|---|---|")
  for measure in (_rests, _follows, _grasps, _tips, _rolls):
    for row in measure():
      print("|", " | ".join(row), "|", flush=True)


def _goals(*goal):
  goal = (*goal, 0, 0, 0, 0)[: physics.GOAL_SIZE]
  return np.tile(np.float32(goal), (_EPISODES.value, 1))


def _rests():
  """Things from a centimeter above the table, the hand far away."""
  for number, half in _RESTING.items():
    thing = tasks.TASKS[number].scene.things[margins.OBJECT]
    raised = dataclasses.replace(
      thing, at=(*thing.at[:2], thing.at[2] + 0.01), spread=0.0, turn=0.0
    )
    scene = scene_lib.Scene({margins.OBJECT: raised}, _AWAY)
    both = play(scene, np.zeros((1, physics.GOAL_SIZE)))
    heights = both.position[:, 0, -1, 2] - half
    name = f"the object of task {number} rests at, m"
    yield name, *(f"{height:.4f}" for height in heights)


def _follows():
  """How far the hand is along a goal, and how far from where it shall be."""
  for number, rate in ((45, 100), (95, 30)):
    for goal in ((0, 0, 0.4), (0.4, 0, 0), (0, 0.4, 0)):
      both = play(tasks.TASKS[number].scene, _goals(*goal))
      way, axis = 0.5 * max(goal), "xyz"[np.argmax(goal)]
      far = np.linalg.norm(both.flange - both.flange[:, :, :1], axis=-1) / way
      shares = np.median(far, axis=1)[:, _STEPS]
      name = f"{way:.1f} m along {axis}, {rate} steps/s"
      yield (
        f"share gone of {name}, after {', '.join(map(str, _STEPS))}",
        *(" ".join(f"{share:.3f}" for share in x) for x in shares),
      )
      off = np.linalg.norm(both.flange[:, :, 1:] - both.asked, axis=-1)
      yield (
        f"lag, {name}: median and most of the episodes' largest, mm",
        *(f"{np.median(x):.1f}, {x.max():.1f}" for x in 1e3 * off.max(axis=-1)),
      )


def _grasps():
  """A nut in the hand, moved fast, and let go."""
  scene = tasks.TASKS[45].scene
  goals = np.random.default_rng(0).uniform(-0.8, 0.8, (_EPISODES.value, 7))
  goals[:, 2], goals[:, 3:] = np.abs(goals[:, 2]), 0
  held = play(scene, goals).held[:, :, -1].mean(axis=-1)
  yield "nuts held through fast motions", *(f"{x:.2f}" for x in held)
  opened = _goals(0, 0, 0, 0, 0, 0, -0.5)
  z = play(scene, opened).position[..., 2]
  fallen = z[:, :, :1] - z
  yield (
    "a nut that is let go has fallen, m",
    *(f"{np.median(x):.3f}" for x in fallen[:, :, -1]),
  )
  first = np.argmax(fallen > 0.005, axis=-1)
  yield (
    "and falls 5 mm by step",
    *(f"{x.min()} to {x.max()}" for x in first),
  )


def _tips():
  """The hand pushes a tall box by growing ways."""
  for goal in (0.08, 0.1, 0.12, 0.14, 0.16):
    both = play(tasks.TASKS[57].scene, _goals(0, goal, 0))
    lean = np.arccos(np.clip(both.rotation[..., 2, 2], -1, 1)).max(axis=-1)
    yield (
      f"tall boxes tipped by a push of {goal / 2:.2f} m",
      *(f"{share:.2f}" for share in (lean > _TIPPED).mean(axis=-1)),
    )


def _rolls():
  """A roll down the slope, the hand out of its way."""
  scene = dataclasses.replace(tasks.TASKS[23].scene, hand=_AWAY)
  both = play(scene, np.zeros((1, physics.GOAL_SIZE)))
  gone = np.linalg.norm(both.position - both.position[:, :, :1], axis=-1)[:, 0]
  for step in (10, 20, 30):
    yield (
      f"way of a roll down the slope after {step / scene.rate:.2f} s, m",
      *(f"{way:.3f}" for way in gone[:, step]),
    )


if __name__ == "__main__":
  app.run(main)
