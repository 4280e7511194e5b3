"""Which clips a batch holds."""

import numpy as np
import pytest

from data import samplers


@pytest.mark.parametrize(
  "groups", [[0] * 7, [0, 0, 0, 0, 0, 4, 4, 9, 9, 9]], ids=["one", "three"]
)
def test_groups_take_turns_and_each_is_permuted(groups):
  groups, names = np.array(groups), np.unique(groups)
  rows = samplers.make_sampler(groups, seed=3, stream=0)(np.arange(210))
  drawn = groups[rows].reshape(-1, len(names))
  np.testing.assert_array_equal(np.sort(drawn), [names] * len(drawn))
  assert len(names) == 1 or len({tuple(turn) for turn in drawn}) > 3
  for group in names:
    members = np.flatnonzero(groups == group)
    epochs = rows[groups[rows] == group][: 14 * len(members)]
    epochs = epochs.reshape(14, -1)
    np.testing.assert_array_equal(np.sort(epochs), [members] * 14)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_places_stand_alone():
  groups = np.arange(30) % 4

  def sample(places, seed=1, stream=2):
    make_fn = samplers.make_sampler(groups, seed=seed, stream=stream)
    return make_fn(places)

  whole = sample(np.arange(100))
  np.testing.assert_array_equal(sample(np.arange(60, 70)), whole[60:70])
  assert (sample(np.arange(100), seed=2) != whole).any()
  assert (sample(np.arange(100), stream=1) != whole).any()
  draws = [samplers.frame_rng(0, 1, p).integers(1 << 30) for p in (3, 4, 3)]
  assert draws[0] == draws[2] != draws[1]


def test_hosts_divide_a_batch():
  shares = [
    samplers.batch_places(5, 8, process_index=i, process_count=4)
    for i in range(4)
  ]
  np.testing.assert_array_equal(np.concatenate(shares), np.arange(40, 48))
  with pytest.raises(ValueError, match="8 clips .* among 3 hosts"):
    samplers.batch_places(0, 8, process_count=3)
