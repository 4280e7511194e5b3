"""The paper's figures beside ours: margins by hand, files, what is missing."""

import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from a2r.evaluation import (
  comparison,
  figures,
  intervals,
  paper,
  success,
)

TASKS = ("close_drawer", "move_faucet")
TRAIN = "tabletop/train"


def make_sets(rates, **changes):
  """Trials of two tasks and seeds from {(method, column): rate in %}."""
  fields = {"experiment": "table1", "dynamics": "sim", "num_trials": 20}
  fields |= {"environment": TRAIN} | changes
  return [
    success.TrialSet(
      method=method,
      column=column,
      task=task,
      seed=seed,
      num_successes=rate * fields["num_trials"] // 100,
      **fields,
    )
    for (method, column), rate in rates.items()
    for task in TASKS
    for seed in (0, 1)
  ]


def make_quality():
  row = dict.fromkeys(comparison.QUALITY.values())
  row |= {"environment": TRAIN, "auroc": 0.75}
  return {
    "texts": ["a", "b"],
    "rows": [],
    "summary": [row],
    "clock": [row | {"auroc": 0.5}],
    "confusion": {
      TRAIN: {"tasks": ["x"], "instructions": ["a"], "share": [[0.8, 0.2]]}
    },
    "curves": {TRAIN: {"x": {"times": [0, 1], "success": [0.1, 0.9]}}},
  }


def make_record(sets, quality=(), experiment="table1", *notes, **changes):
  return comparison.make_record(sets, quality, experiment, notes, **changes)


RATES = {
  ("random", "robot_only"): 10,
  ("dvd", "robot_only"): 20,
  ("dvd", "plus3"): 40,
  ("liv", "plus3"): 30,
  ("adapt2reward", "robot_only"): 30,
  ("adapt2reward", "plus3"): 60,
}


def test_paper_as_printed():
  assert paper.rate("table1", "adapt2reward", "plus6") == 69.33
  assert paper.rate("table1", "dvd", "robot_only") == 19.00
  assert paper.rate("table1", "random", "plus9") == 15.25
  assert paper.rate("table1", "triplet", "plus9") is None
  assert paper.rate("table1", "dvd", "plus12") is None
  assert paper.rate("figure3", "adapt2reward", TRAIN) is None


def test_margins_by_hand():
  record = make_record(make_sets(RATES))
  margins = {m["column"]: m for m in record["margins"]}
  assert margins["robot_only"]["best_method"] == "dvd"
  assert margins["robot_only"]["margin"] == 10
  assert margins["robot_only"]["missing"] == ["concept2robot", "liv"]
  assert (margins["plus3"]["best"], margins["plus3"]["margin"]) == (40, 20)
  bounds = np.multiply(intervals.difference((48, 80), (32, 80)), 100)
  found = margins["plus3"]["low"], margins["plus3"]["high"]
  np.testing.assert_allclose(found, bounds)
  assert margins["plus6"]["margin"] is margins["plus6"]["ours"] is None
  # Random actions have one figure; the others lack columns of the mean.
  assert margins["mean"]["best"] == 10
  assert margins["mean"]["margin"] is None
  assert margins["mean"]["low"] is None


def test_trials_that_stand_in_all_columns_count_once():
  columns = paper.COLUMNS["table1"]
  rates = {("adapt2reward", column): 60 for column in columns}
  sets = make_sets(rates | {("random", "robot_only"): 10})
  *_, mean = make_record(sets)["margins"]
  assert (mean["margin"], mean["best_method"]) == (50, "random")
  low = 100 * intervals.difference((192, 320), (8, 80))[0]
  np.testing.assert_allclose(mean["low"], low)


def test_mean_margin_is_over_the_best_mean():
  columns = list(paper.COLUMNS["figure3"])
  sets = []
  for name, line in {
    "dvd": (80, 0, 0, 0),
    "liv": (30, 30, 30, 30),
    "adapt2reward": (60, 60, 60, 80),
  }.items():
    for column, rate, num in zip(columns, line, (400, 20, 20, 20), strict=True):
      rates = {(name, column): rate}
      sets += make_sets(rates, experiment="figure3", num_trials=num)
  *_, mean = make_record(sets, experiment="figure3")["margins"]
  assert (mean["ours"], mean["best_method"], mean["best"]) == (65, "liv", 30)
  assert mean["margin"] == 35
  # The interval is of the means over columns, whose trials differ in number.
  worth = 16 / (1 / 1600 + 3 / 80)
  bounds = intervals.difference((0.65 * worth, worth), (0.3 * worth, worth))
  found = mean["low"], mean["high"]
  np.testing.assert_allclose(found, np.multiply(bounds, 100))


def test_one_figure_stands_in_all_columns():
  rows = make_record(make_sets(RATES))["rows"]
  random = [row for row in rows if row["method"] == "random"]
  assert [row["rate"] for row in random] == [10.0] * 4
  assert [row["repeated"] for row in random] == [False, True, True, True]
  assert {row["paper"] for row in random} == {15.25}
  dvd = [row["rate"] for row in rows if row["method"] == "dvd"]
  assert dvd == [20.0, 40.0, None, None]


def test_files(tmp_path):
  sets = make_sets(RATES)
  sets += make_sets({("adapt2reward", "plus6"): 65})[:1]
  result = {"adapt2reward/plus3": [make_quality()], "dvd": [make_quality()] * 2}
  record = make_record(
    sets, result, "table1", "A note.", tasks=TASKS, command="cmd"
  )
  comparison.write(record, tmp_path)
  assert json.loads((tmp_path / "results.json").read_text()) == record
  assert record["commit"] is not None or record["versions"]["jax"]
  text = (tmp_path / "results.md").read_text()
  for line in (
    "| DVD | 20.0 [12.7, 30.0] (19.00) | 40.0 [30.0, 51.0] (28",
    "65.0 [43.3, 81.9] without move_faucet (69.33)",
    "| Concept2Robot | not run (33.75) |",
    "| Adapt2Reward, + 3 human tasks | tabletop/train | 0.75 | - |",
    "| Clock | tabletop/train | 0.50 |",
    "20 per task and seed, 2 seeds; the paper: 100 and 3",
    "- A note.",
    "`cmd`",
  ):
    assert line in text
  names = {path.name for path in tmp_path.iterdir()}
  assert names == {
    "results.json",
    "results.md",
    "results.png",
    "quality-adapt2reward-plus3.png",
    "quality-dvd.png",
  }
  for name in names:
    if name.endswith("png"):
      assert Image.open(tmp_path / name).width > 500
  assert "Success rates, futures by the sim" in comparison.summary(record)


def test_quality_is_drawn_anew_where_it_changed_alone(tmp_path, monkeypatch):
  path, quality = tmp_path / "quality-dvd.png", {"dvd": [make_quality()]}
  monkeypatch.setattr(figures, "success_rates", lambda _: None)

  def write():
    comparison.write(make_record(make_sets(RATES), quality), tmp_path)

  write()
  path.write_bytes(b"as it was")
  write()
  assert path.read_bytes() == b"as it was"
  quality["dvd"][0]["confusion"][TRAIN]["share"] = [[0.5, 0.5]]

  def die(*_):
    raise KeyboardInterrupt

  # Killed before it is drawn, it is drawn later.
  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(figures, "quality", die)
    write()
  assert path.read_bytes() == b"as it was"
  write()
  assert path.read_bytes() != b"as it was"


def test_nothing_run_yet(tmp_path):
  record = make_record([], experiment="figure3")
  comparison.write(record, tmp_path)
  text = (tmp_path / "results.md").read_text()
  assert "Nothing has been run yet." in text
  assert "What differs from the paper" in text
  assert comparison.summary(record) == "Nothing has been run yet."
  assert figures.quality(make_quality() | {"confusion": {}}, "") is None


def test_figure_shows_bars_where_there_are_rates():
  shares = []
  for rate in (0, 80):
    sets = make_sets({("adapt2reward", TRAIN): rate}, experiment="figure3")
    picture = figures.success_rates(make_record(sets, experiment="figure3"))
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    shares.append((pixels == (0x00, 0x72, 0xB2)).all(-1).mean())
  # Both have the legend's patch.
  assert 0 < shares[0] < shares[1] / 5


@pytest.mark.parametrize(
  "experiment, size, message",
  [
    ("figure3", "small", "got trials of .'table1'.; expected 'figure3'"),
    ("figure9", "small", "unknown experiment 'figure9'; known: figure3"),
    ("table1", "huge", "unknown size 'huge'; known: small"),
  ],
)
def test_bad_input(experiment, size, message):
  with pytest.raises(ValueError, match=message):
    make_record(make_sets(RATES), {}, experiment, size=size)


def test_sets_of_two_dynamics_are_refused():
  sets = make_sets(RATES)
  other = dataclasses.replace(sets[0], dynamics="fitvid")
  with pytest.raises(ValueError, match=r"\['fitvid', 'sim'\]; expected one"):
    make_record([*sets, other])
