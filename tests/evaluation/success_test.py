"""Success rates and their intervals against counts done by hand."""

import numpy as np
import pytest

from a2r.evaluation import success


def make_set(**changes):
  values = {
    "method": "adapt2reward",
    "column": "tabletop/train",
    "environment": "tabletop/train",
    "task": "close_drawer",
    "seed": 0,
    "dynamics": "sim",
    "num_trials": 10,
    "num_successes": 5,
  }
  return success.TrialSet(**values | changes)


def test_wilson_by_hand():
  # z = 1.959964, z^2 = 3.841459. For 8 of 10: center (.8 + .192073) / 1.384146
  # = .716741; half width 1.959964 sqrt(.016 + .0096036) / 1.384146 = .226578.
  low, high = success.wilson(8, 10)
  np.testing.assert_allclose([low, high], [0.490163, 0.943319], atol=1e-5)
  # For 0 of 10: 0 and z^2 / (10 + z^2).
  low, high = success.wilson(0, 10)
  np.testing.assert_allclose([low, high], [0, 3.841459 / 13.841459], atol=1e-6)
  mirrored = success.wilson(10, 10)
  np.testing.assert_allclose(mirrored, [1 - high, 1 - low], atol=1e-12)


def test_wilson_narrows_with_trials():
  widths = [np.diff(success.wilson(n // 4, n))[0] for n in (20, 80, 320)]
  np.testing.assert_allclose(widths[0] / widths[1], 2, rtol=0.1)
  np.testing.assert_allclose(widths[1] / widths[2], 2, rtol=0.05)


def test_difference_is_newcombes():
  # The example of his table II: 56 of 70 and 48 of 80.
  low, high = success.difference((56, 70), (48, 80))
  np.testing.assert_allclose([low, high], [0.0524, 0.3339], atol=5e-5)
  turned = success.difference((48, 80), (56, 70))
  np.testing.assert_allclose(turned, [-high, -low])
  assert success.difference((9, 10), (9, 10))[0] < 0


@pytest.mark.parametrize("counts", [(0, 0), (3, 2), (-1, 4)])
def test_wilson_of_impossible_counts(counts):
  with pytest.raises(ValueError, match=f"got {counts[0]} successes of"):
    success.wilson(*counts)


def test_row_by_hand():
  sets = [
    make_set(seed=0, num_successes=5),
    make_set(seed=1, num_successes=9),
    make_set(seed=0, task="move_faucet", num_trials=20, num_successes=2),
    make_set(seed=1, task="move_faucet", num_trials=20, num_successes=4),
  ]
  (row,) = success.summarize(sets)
  # Tasks: 14 of 20 = 70 %, 6 of 40 = 15 %. Seeds: (50 + 10) / 2, (90 + 20) / 2.
  assert row["rate"] == row["rate_so_far"] == 42.5
  assert row["seed_rates"] == {"0": 30.0, "1": 55.0}
  np.testing.assert_allclose(row["spread"], 25 / np.sqrt(2))
  assert (row["num_successes"], row["num_trials"]) == (20, 60)
  # 4 / (1 / 20 + 1 / 40) = 160 / 3 trials, of which 42.5 % are 68 / 3.
  bounds = np.multiply(success.wilson(68 / 3, 160 / 3), 100)
  np.testing.assert_allclose((row["low"], row["high"]), bounds)
  assert (row["num_seeds"], row["missing"]) == (2, [])
  rates = {r["task"]: r["rate"] for r in success.summarize(sets, per_task=True)}
  assert rates == {"close_drawer": 70.0, "move_faucet": 15.0}


def test_interval_is_of_the_mean_over_tasks():
  # One task has many trials: over all counts the rate would be 106 of 130.
  sets = [make_set(num_trials=100, num_successes=100)]
  sets += [make_set(task=task, num_successes=2) for task in "abc"]
  (row,) = success.summarize(sets)
  assert row["low"] < row["rate"] == 40 < row["high"]
  np.testing.assert_allclose(row["effective_trials"], 16 / 0.31)
  (row,) = success.summarize(sets[1:])
  bounds = np.multiply(success.wilson(6, 30), 100)
  np.testing.assert_allclose((row["low"], row["high"]), bounds)


def test_what_was_not_run_is_missing_and_not_zero():
  sets = [make_set(), make_set(task="move_faucet", num_successes=0)]
  columns = ("tabletop/train", "tabletop/test1")
  here, there = success.summarize(sets, columns=columns)
  assert (here["rate"], here["missing"]) == (25.0, [])
  assert there["column"] == "tabletop/test1"
  assert there["rate"] is there["low"] is there["spread"] is None
  assert there["missing"] == ["close_drawer", "move_faucet"]
  assert there["num_trials"] == there["num_seeds"] == 0
  assert len(success.summarize(sets, methods=["random"])) == 2
  assert len(success.summarize(sets, per_task=True, columns=columns)) == 4


def test_row_without_all_tasks_has_no_rate():
  (row,) = success.summarize(
    [make_set()], tasks=("close_drawer", "move_faucet")
  )
  assert (row["rate"], row["rate_so_far"]) == (None, 50.0)
  assert (row["missing"], row["seed_rates"]) == (["move_faucet"], {})


def test_dynamics_are_kept_apart():
  sets = [make_set(), make_set(dynamics="fitvid", num_successes=1)]
  rates = {row["dynamics"]: row["rate"] for row in success.summarize(sets)}
  assert rates == {"sim": 50.0, "fitvid": 10.0}


def test_no_sets_no_rows():
  assert success.summarize([]) == []


@pytest.mark.parametrize(
  "sets, message",
  [
    ([make_set(num_successes=11)], "11 successes of 10"),
    ([make_set(), make_set()], "the same trials twice: method adapt"),
    ([make_set(), make_set(seed=1, experiment="table1")], "several exp"),
  ],
)
def test_sets_that_no_table_can_be_made_of(sets, message):
  with pytest.raises(ValueError, match=message):
    success.summarize(sets)
