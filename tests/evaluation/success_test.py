"""Success rates against counts done by hand."""

import numpy as np
import pytest

from a2r.evaluation import intervals, success


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
  bounds = np.multiply(intervals.wilson(68 / 3, 160 / 3), 100)
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
  bounds = np.multiply(intervals.wilson(6, 30), 100)
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
  # A row without all of its tasks has no rate.
  tasks = ("close_drawer", "move_faucet")
  (row,) = success.summarize([make_set()], tasks=tasks)
  assert (row["rate"], row["rate_so_far"]) == (None, 50.0)
  assert (row["missing"], row["seed_rates"]) == (["move_faucet"], {})


def test_dynamics_are_kept_apart():
  sets = [make_set(), make_set(dynamics="fitvid", num_successes=1)]
  rates = {row["dynamics"]: row["rate"] for row in success.summarize(sets)}
  assert rates == {"sim": 50.0, "fitvid": 10.0}
  assert success.summarize([]) == []


def test_impossible_counts():
  with pytest.raises(ValueError, match="11 successes of 10"):
    make_set(num_successes=11)
