"""Which clips a batch holds."""

import numpy as np
import pytest

from data import samplers


def test_every_epoch_is_a_permutation():
  sample = samplers.make_sampler(np.zeros(7), seed=0, stream=1)
  epochs = sample(np.arange(21)).reshape(3, 7)
  np.testing.assert_array_equal(np.sort(epochs), [np.arange(7)] * 3)
  assert len({tuple(epoch) for epoch in epochs}) == 3


def test_groups_take_turns_and_each_is_permuted():
  groups = np.array([0, 0, 0, 0, 0, 4, 4, 9, 9, 9])
  sample = samplers.make_sampler(groups, seed=3, stream=0)
  rows = sample(np.arange(3 * 30))
  drawn = groups[rows].reshape(30, 3)
  np.testing.assert_array_equal(np.sort(drawn), [[0, 4, 9]] * 30)
  assert len({tuple(turn) for turn in drawn}) > 3
  for group in (0, 4, 9):
    members = np.flatnonzero(groups == group)
    own = rows[groups[rows] == group]
    for epoch in own.reshape(-1, len(members)):
      np.testing.assert_array_equal(np.sort(epoch), members)


def test_places_stand_alone():
  groups = np.arange(30) % 4
  sample = samplers.make_sampler(groups, seed=1, stream=2)
  whole = sample(np.arange(100))
  again = samplers.make_sampler(groups, seed=1, stream=2)
  np.testing.assert_array_equal(again(np.arange(60, 70)), whole[60:70])
  other_seed = samplers.make_sampler(groups, seed=2, stream=2)
  other_stream = samplers.make_sampler(groups, seed=1, stream=1)
  assert (other_seed(np.arange(100)) != whole).any()
  assert (other_stream(np.arange(100)) != whole).any()


def test_hosts_divide_a_batch():
  shares = [
    samplers.batch_places(5, 8, process_index=i, process_count=4)
    for i in range(4)
  ]
  np.testing.assert_array_equal(np.concatenate(shares), np.arange(40, 48))
  with pytest.raises(ValueError, match="8 clips .* among 3 hosts"):
    samplers.batch_places(0, 8, process_count=3)
