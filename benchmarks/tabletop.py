"""The tabletop beside DVD's: how the hand lags, what random play achieves.

  python -m benchmarks.tabletop [--episodes=64] [--seed=0] [--solid]

Uniform random actions for 60 control steps, physics in C. Prints the mean
distance from the hand to the mocap body, and the share of episodes that each of
DVD's published criteria counts as a success, beside the same figures of the
original environment, rebuilt from its published files in MuJoCo 4.0 (60
episodes, so about 6 points of standard error). With --solid, hand, objects and
table touch each other by every drawn shape, not by the listed pairs alone.
"""

import numpy as np
from absl import app, flags

from a2r import sim
from a2r.evaluation import tables
from a2r.sim.tabletop import physics, tasks, variants

_EPISODES = flags.DEFINE_integer("episodes", 64, "Per environment.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the actions.", 0)
_SOLID = flags.DEFINE_bool("solid", False, "Let all drawn shapes touch.")
_SOLID_ROLES = ("palm", "_finger", "table", "drawer", "faucet", "coffee", "mug")
_FAUCET_TURNED = 0.01  # Radians.
_HEADER = (
  "environment",
  "lag (cm)",
  "close",
  "faucet right",
  "faucet left",
  "cup forward",
  "cup target",
)
# The original, by the layout that an environment of ours shares with it.
_ORIGINAL = {
  "env1 (layout of train, test1, test2)": (6.5, 0.23, 0.15, 0.03, 0.25, 0.30),
  "env4 (layout of test3)": (6.5, 0.23, 0.17, 0.10, 0.30, 0.07),
}


def main(_):
  rows = [[name, *_figures(name)] for name in sim.ENVIRONMENTS]
  title = f"Uniform random actions, {_EPISODES.value} episodes each"
  print(tables.Table(title, _HEADER, rows).text(), end="\n\n")
  rows = [[name, *figures] for name, figures in _ORIGINAL.items()]
  title = "The original, 60 episodes each"
  print(tables.Table(title, _HEADER, rows).text())


def _figures(name):
  """One environment's columns of `_HEADER`, after the first."""
  keys = [_SEED.value, sim.ENVIRONMENTS.index(name)]
  shape = (_EPISODES.value, physics.NUM_STEPS, physics.ACTION_SIZE)
  actions = np.random.default_rng(keys).uniform(
    physics.ACTION_LOW, physics.ACTION_HIGH, shape
  )
  model = physics.load(name)
  if _SOLID.value:
    _make_solid(model.mj)
  states = np.asarray(physics.rollout(model, actions, physics="c").states)
  mocap = [np.tile(model.start().mocap, (len(actions), 1))]
  for action in np.moveaxis(actions, 1, 0):
    mocap.append(physics.move_mocap(mocap[-1], action))
  lag = np.linalg.norm(states[..., tasks.HAND] - np.stack(mocap, 1), axis=-1)
  turned = states[..., tasks.FAUCET] - states[:, :1, tasks.FAUCET]
  target = variants.CUP_TARGETS[name]
  reached = [tasks.cup_target_distance(row, target) for row in states]
  return [
    100 * float(lag[:, 1:].mean()),
    _share(states, tasks.get("close_drawer").success),
    float(np.mean(turned.min(axis=1) < -_FAUCET_TURNED)),
    float(np.mean(turned.max(axis=1) > _FAUCET_TURNED)),
    _share(states, tasks.get("move_cup_away").success),
    float(np.mean(np.array(reached) < tasks.CUP_TARGET_REACHED)),
  ]


def _make_solid(model):
  """Lets the drawn shapes of hand, objects and table touch."""
  for index in range(model.ngeom):
    role, body = variants.geom_role(model, index), model.geom_bodyid[index]
    if any(name in role for name in _SOLID_ROLES):
      model.geom_contype[index] = model.geom_conaffinity[index] = 1
      model.body_contype[body] = model.body_conaffinity[body] = 1


def _share(states, success):
  return float(np.mean([success(row) for row in states]))


if __name__ == "__main__":
  app.run(main)
