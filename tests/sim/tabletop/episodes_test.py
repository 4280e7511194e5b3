"""The one loop: on the host and as a scan it is the same episode."""

import jax
import numpy as np
import pytest

from a2r.sim.tabletop import episodes, physics


def play(on_host):
  """A point that each step moves by its action; the action halves the way."""
  return jax.tree.map(
    np.asarray,
    episodes.unroll(
      lambda place, action: place + action,
      np.float32([[8.0], [-4.0]]),
      lambda place, timestep: -0.5 * place,
      3,
      record_fn=lambda place: {"place": place},
      on_host=on_host,
    ),
  )


@pytest.mark.parametrize("on_host", [True, False])
def test_records_have_the_start_and_actions_have_not(on_host):
  last, records, actions = play(on_host)
  np.testing.assert_array_equal(last, [[1.0], [-0.5]])
  np.testing.assert_array_equal(
    records["place"][..., 0], [[8, 4, 2, 1], [-4, -2, -1, -0.5]]
  )
  np.testing.assert_array_equal(actions[..., 0], [[-4, -2, -1], [2, 1, 0.5]])


def test_low_dimensional_state_is_the_hand_and_the_objects():
  start = physics.load("tabletop/train").start()
  low_dim = np.asarray(episodes.low_dim_state(start))
  np.testing.assert_array_equal(low_dim[:3], start.hand)
  np.testing.assert_array_equal(low_dim[3:], start.qpos[9:])
  batch = episodes.low_dim_state(episodes.tile(start, 2))
  assert isinstance(batch, np.ndarray)
  np.testing.assert_array_equal(batch, [low_dim] * 2)
