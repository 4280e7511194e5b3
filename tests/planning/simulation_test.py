"""The simulator as dynamics: the physics and pictures of `a2r.sim`."""

import jax
import numpy as np
import pytest

from a2r import sim
from a2r.planning import base, simulation, timing
from a2r.sim.behavior import policies
from a2r.sim.tabletop import physics

ENVIRONMENT = "tabletop/test3"
SIZE = 16


def make_rows(state):
  """Rows of a PlanState at simulator states `[M, ...]`."""
  size = len(state.qpos)
  nothing = np.zeros((size, 0, SIZE, SIZE, 3), np.uint8)
  states = np.zeros((size, base.NUM_STATES, 13), np.float32)
  past = np.zeros((size, 0, 5), np.float32)
  return base.PlanState(state, states, nothing, nothing, past)


def starts(size, model):
  start = jax.tree.map(np.asarray, model.start())
  return jax.tree.map(lambda x: np.tile(x, (size, 1)), start)


def random_actions(shape, seed=0):
  rng = np.random.default_rng(seed)
  box = physics.ACTION_HIGH
  return np.float32(rng.uniform(-box, box, (*shape, 5)))


def times(*offsets):
  return base.Timing(
    np.int32(0), np.asarray(offsets, np.int32), np.zeros(0, np.int32)
  )


def test_states_side_by_side_are_those_of_a_rollout():
  model = physics.load(ENVIRONMENT)
  actions = random_actions((6, 60))
  expected = physics.rollout(model, actions, physics="c")
  path = simulation.play_c(model, starts(6, model), actions)
  np.testing.assert_array_equal(np.float32(path), expected.qpos)
  found = simulation.low_dim_states(model, path)
  np.testing.assert_allclose(found, expected.states, atol=2e-6)


def test_pictures_are_those_of_clips():
  """The reward's own clip, drawn by a prediction of the whole episode."""
  clips = sim.collect(
    ENVIRONMENT, "close_drawer", "expert", 3, 2, num_frames=4, image_size=SIZE
  )
  model = physics.load(ENVIRONMENT)
  keys = [
    3,
    sim.ENVIRONMENTS.index(ENVIRONMENT),
    0,
    policies.source_index("expert"),
  ]
  seeds = [[*keys, int(draw)] for draw in clips.seeds]
  actions = policies.sample_batch(model, "expert", "close_drawer", seeds)
  dynamics = simulation.make_dynamics(ENVIRONMENT, image_size=SIZE, physics="c")
  future = dynamics.predict_fn(
    dynamics.params,
    make_rows(starts(2, model)),
    actions,
    times(*timing.stored(4)[1:]),
    None,
  )
  np.testing.assert_array_equal(future.frames, clips.frames[:, 1:])
  np.testing.assert_allclose(future.states, clips.states, atol=2e-6)


def test_no_picture_is_drawn_where_none_is_asked_for():
  dynamics = simulation.make_dynamics(ENVIRONMENT, image_size=SIZE, physics="c")
  rows = make_rows(starts(3, physics.load(ENVIRONMENT)))
  future = dynamics.predict_fn({}, rows, random_actions((3, 2)), times(), None)
  assert future.frames.shape == (3, 0, SIZE, SIZE, 3)
  assert future.states.shape == (3, 3, 13)


@pytest.mark.slow
def test_mjx_predicts_as_c_does():
  """In one compiled program with the pictures in it."""
  model = physics.load(ENVIRONMENT)
  rows, actions = make_rows(starts(2, model)), random_actions((2, 4))
  found = {}
  for engine in ("c", "mjx"):
    dynamics = simulation.make_dynamics(
      ENVIRONMENT, image_size=SIZE, physics=engine
    )
    predict_fn = dynamics.predict_fn
    if engine == "mjx":
      assert not dynamics.on_host
      predict_fn = jax.jit(predict_fn)
    found[engine] = predict_fn(
      dynamics.params, rows, actions, times(2, 4), None
    )
  c, mjx = found["c"], found["mjx"]
  np.testing.assert_allclose(c.states, mjx.states, atol=2e-3)
  assert mjx.frames.shape == (2, 2, SIZE, SIZE, 3)
  assert np.mean(np.abs(np.float32(c.frames) - mjx.frames) > 8) < 0.02


def test_equal_dynamics_share_their_programs():
  one, two = (
    simulation.make_dynamics(name, image_size=SIZE, physics="mjx")
    for name in ("tabletop/train", ENVIRONMENT)
  )
  assert one.predict_fn == two.predict_fn
  assert hash(one.predict_fn) == hash(two.predict_fn)


def test_mistakes_are_named():
  with pytest.raises(KeyError, match="tabletop/test3"):
    simulation.make_dynamics("kitchen", image_size=SIZE)
  with pytest.raises(ValueError, match="unknown physics 'bullet'"):
    simulation.make_dynamics(ENVIRONMENT, image_size=SIZE, physics="bullet")
  with pytest.raises(ValueError, match="image_size must be at least 1"):
    simulation.make_dynamics(ENVIRONMENT, image_size=0)
