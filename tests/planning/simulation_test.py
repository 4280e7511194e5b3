"""The simulator as dynamics: the physics and pictures of `a2r.sim`."""

import jax
import numpy as np
import pytest

from a2r import sim
from a2r.planning import base, simulation, timing
from a2r.sim.tabletop import episodes, physics

ENVIRONMENT = "tabletop/test3"
SIZE = 8


def make(engine="c", environment=ENVIRONMENT):
  return simulation.make_dynamics(environment, image_size=SIZE, physics=engine)


def make_rows(size):
  """Rows of a PlanState at the start of an episode."""
  start = episodes.tile(physics.load(ENVIRONMENT).start(), size)
  nothing = np.zeros((size, 0, SIZE, SIZE, 3), np.uint8)
  states = np.zeros((size, base.NUM_STATES, 13), np.float32)
  past = np.zeros((size, 0, 5), np.float32)
  return base.PlanState(start, states, nothing, nothing, past)


def times(*offsets):
  return base.Timing(
    np.int32(0), np.asarray(offsets, np.int32), np.zeros(0, np.int32)
  )


def test_states_and_pictures_are_those_of_clips():
  """The reward's own clip, drawn by a prediction of the whole episode."""
  clips = sim.collect(
    ENVIRONMENT, "close_drawer", "expert", 3, 2, num_frames=4, image_size=SIZE
  )
  rows = make_rows(2)
  path = simulation.play_c(physics.load(ENVIRONMENT), rows.sim, clips.actions)
  np.testing.assert_array_equal(np.float32(path), clips.qpos)
  future = make().predict_fn(
    {}, rows, clips.actions, times(*timing.stored(4)[1:]), None
  )
  # A clip is drawn of the same joints in float32.
  assert np.abs(np.int32(future.frames) - clips.frames[:, 1:]).max() <= 1
  np.testing.assert_allclose(future.states, clips.states, atol=2e-6)
  nothing = make().predict_fn({}, rows, clips.actions[:, :2], times(), None)
  assert nothing.frames.shape == (2, 0, SIZE, SIZE, 3)
  np.testing.assert_array_equal(nothing.states, future.states[:, :3])


@pytest.mark.slow
def test_mjx_predicts_as_c_does():
  """In one compiled program with the pictures in it."""
  actions = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5))
  args = make_rows(2), np.float32(actions), times(2, 4), None
  c, mjx = make("c"), make("mjx")
  assert c.on_host and not mjx.on_host
  wanted = c.predict_fn(c.params, *args)
  found = jax.jit(mjx.predict_fn)(mjx.params, *args)
  np.testing.assert_allclose(found.states, wanted.states, atol=2e-3)
  assert found.frames.shape == (2, 2, SIZE, SIZE, 3)
  assert np.mean(np.abs(np.float32(wanted.frames) - found.frames) > 8) < 0.02


def test_equal_dynamics_share_their_programs():
  one, two = make("mjx").predict_fn, make("mjx", "tabletop/train").predict_fn
  assert one == two
  assert hash(one) == hash(two)
