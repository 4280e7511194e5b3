"""What a user gets wrong in the simulator: one line that names it."""

import gymnasium
import jax
import mujoco
import numpy as np
import pytest
from brax.envs import base

from a2r import sim
from a2r.sim.behavior import clips, policies, ppo, stopped
from a2r.sim.tabletop import physics, rewards, tasks, variants
from a2r.sim.tabletop.engines import kinematics
from tests import mistakes

ENV, TASK = "tabletop/train", "close_drawer"
SMALL = dict(image_size=8)  # What is drawn is compiled for each size.
NAN = float("nan")
PARTS = ppo.PPOConfig(num_minibatches=7)


def rng():
  return np.random.default_rng(0)


def model():
  return physics.load(ENV)


def sample(source, task):
  return policies.sample(rng(), source, task, variants.get(ENV))


def roll_out(policy=lambda rng, obs: obs[:5], num_envs=2, **numbers):
  numbers = dict(num_steps=4) | numbers
  return sim.rollout(
    sim.make(ENV, **SMALL), policy, jax.random.key(0), num_envs, **numbers
  )


def step(action):
  env = sim.make(ENV, **SMALL)
  return env.step(env.reset(jax.random.key(0)), np.zeros(action, np.float32))


def gym_step(action, num_envs=None):
  env = sim.make_gym(ENV, num_envs=num_envs, physics="c", **SMALL)
  env.reset()
  env.step(action)


def gym_reset(**arguments):
  env = sim.make_gym(ENV, num_envs=2, physics="c", **SMALL)
  env.reset()
  env.reset(**arguments)


def mask(rows):
  return {"reset_mask": np.array(rows)}


def gym_use(use):
  """Of one that was never reset."""
  options = dict(physics="c", render_mode="rgb_array", **SMALL)
  use(sim.make_gym(ENV, num_envs=2, **options))


def collect(seed=0, num_clips=1, **options):
  sim.collect(ENV, TASK, "random", seed, num_clips, **options)


def play(source, **options):
  options = {"stride": 30} | SMALL | options
  clips.collect_play(ENV, source, 0, [0], **options)


class Wide(base.Env):
  """Nothing but sizes."""

  observation_size, action_size, backend = 5, 2, "none"
  reset = step = None

  def __init__(self, size=5):
    self.observation_size = size


def tree_of(joint):
  xml = f"<mujoco><worldbody><body>{joint}<geom size='1'/></body></worldbody>"
  return kinematics.make_tree(mujoco.MjModel.from_xml_string(xml + "</mujoco>"))


# A call, the error, and the names in its message.
CALLS = [
  (lambda: sim.make("tabletop/test9"), KeyError, "test9 tabletop/train"),
  (lambda: sim.make(None), KeyError, "None tabletop/train"),
  (lambda: sim.make(ENV, task="juggle"), KeyError, "juggle close_drawer"),
  (lambda: sim.make(ENV, physics="warp"), ValueError, "warp auto c mjx"),
  (lambda: sim.make(ENV, reward="rich"), ValueError, "rich sparse shaped"),
  (lambda: sim.make(ENV, noise=1.0), ValueError, "noise 1.0"),
  (lambda: sim.make(ENV, image_size=0), ValueError, "image_size 0"),
  (lambda: sim.make(ENV, image_size=1.5), ValueError, "image_size 1.5"),
  (lambda: sim.make(ENV, image_size=10**9), ValueError, "image_size 4096"),
  (lambda: sim.make(ENV, samples=9), ValueError, "samples 8 9"),
  (lambda: physics.load("tabletop/kitchen"), KeyError, "tabletop/test3"),
  (lambda: physics.resolve("warp"), ValueError, "physics warp mjx"),
  (lambda: physics.rollout(model(), np.zeros((3, 5))), ValueError, "(3, 5)"),
  (lambda: rewards.shaped("juggle"), KeyError, "juggle close_drawer"),
  (lambda: tasks.get("juggle"), KeyError, "juggle close_drawer poke_cup"),
  (lambda: roll_out(num_envs=0), ValueError, "num_envs 0"),
  (lambda: roll_out(num_envs=10**9), ValueError, "num_envs 1000000000"),
  (lambda: roll_out(num_envs=1.5), ValueError, "num_envs 1.5"),
  (lambda: roll_out(num_steps=0), ValueError, "num_steps 0"),
  (lambda: roll_out(pixels_every=3), ValueError, "pixels_every 4 3"),
  (lambda: roll_out(pixels_every=-1), ValueError, "pixels_every -1"),
  (lambda: roll_out(lambda rng, obs: obs[:4]), ValueError, "(5,) (4,)"),
  *(
    (lambda shape=shape: step(shape), ValueError, f"action (5,) {shape}")
    for shape in [(), (4,), (6,), (1, 5), (5, 1)]
  ),
  (lambda: gym_step([0.0] * 4), ValueError, "(5,) (4,)"),
  (lambda: gym_step([[0.0] * 5]), ValueError, "(5,) (1, 5)"),
  (lambda: gym_step([0, 0, NAN, 0, 0]), ValueError, "NaN [2]"),
  *(
    (lambda action=action: gym_step(action), ValueError, "numbers (5,)")
    for action in (["a"] * 5, None, [1j] * 5, [[0.0], [0.0, 0.0]])
  ),
  (lambda: gym_step(np.zeros(5), 2), ValueError, "(2, 5) (5,)"),
  (lambda: gym_step([[0.0] * 5, [NAN] * 5], 2), ValueError, "NaN [1, 0]"),
  (lambda: gym_reset(seed=[1, 2, 3]), ValueError, "2 seeds 3"),
  (lambda: gym_reset(options=mask([1, 0])), ValueError, "bool [2] int"),
  *(
    (lambda use=use: gym_use(use), gymnasium.error.ResetNeeded, "reset()")
    for use in (
      lambda env: env.reset(options=mask([True, False])),
      lambda env: env.step(np.zeros((2, 5))),
      lambda env: env.render(),
    )
  ),
  (lambda: sim.make_gym("tabletop/test9"), KeyError, "test9 tabletop/train"),
  (lambda: sim.make_gym(5), KeyError, "5 tabletop/train concept/<task>"),
  (lambda: sim.make_gym(ENV, task="juggle"), KeyError, "juggle close_drawer"),
  (lambda: sim.make_gym(ENV, obs="image"), ValueError, "obs image state"),
  (lambda: sim.make_gym(ENV, render_mode="human"), ValueError, "rgb_array"),
  (lambda: sim.make_gym(ENV, max_episode_steps=0), ValueError, "steps 0"),
  (lambda: sim.make_gym(ENV, num_envs=0), ValueError, "num_envs 0"),
  (lambda: sim.make_gym(ENV, num_envs=2.0), ValueError, "num_envs 2.0"),
  (lambda: sim.make_gym(ENV, physics="warp"), ValueError, "warp auto c mjx"),
  (lambda: sim.collect("kitchen", TASK, "expert", 0, 1), KeyError, ENV),
  (lambda: sim.collect(ENV, "juggle", "expert", 0, 1), KeyError, TASK),
  (lambda: sim.collect(ENV, TASK, "oracle", 0, 1), KeyError, "near_miss"),
  *(
    (lambda name=name, value=value: collect(**{name: value}), ValueError, name)
    for name, value in (
      ("seed", -1),
      ("seed", None),
      ("seed", [1]),
      ("num_clips", -1),
      ("num_clips", 10**9),
      ("num_frames", 0),
      ("num_frames", 10**9),
      ("image_size", 0),
      ("image_size", "64"),
      ("samples", 0),
      ("want", "yes"),
    )
  ),
  (lambda: play("chaos"), KeyError, "chaos uniform"),
  (lambda: play("uniform", stride=7), ValueError, "stride 60 7"),
  (lambda: play("uniform", stride=0), ValueError, "stride 60 0"),
  (lambda: sample("oracle", TASK), KeyError, "oracle expert near_miss"),
  (lambda: sample("expert", "juggle"), KeyError, "juggle close_drawer"),
  (lambda: sample("rl", TASK), ValueError, "rl sample_batch"),
  (lambda: stopped.play(model(), "juggle", [[0]]), KeyError, "juggle " + TASK),
  (lambda: ppo.make_trainer([Wide(4), Wide(5)]), ValueError, "(4, 2) (5, 2)"),
  (lambda: ppo.make_trainer([Wide()], PARTS), ValueError, "64 7 minibatches"),
  (lambda: tree_of("<joint type='ball'/>"), ValueError, "joints free slide"),
  (lambda: tree_of("<joint pos='1 0 0'/>"), ValueError, "joints free slide"),
]


@pytest.mark.parametrize(("call", "error", "names"), CALLS)
def test_mistakes_are_named_in_one_line(call, error, names):
  mistakes.check(call, error, names)
