"""Tests of the backbones' benchmark: its runs, its lines, its report."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from a2r.runs import train
from a2r.runs import weights as weight_files
from benchmarks import adaptation, backbones, backbones_report
from configs import envgen
from data import dataset, pipeline, records, store

SHIPPED = weight_files.shipped_backbone()
METHODS = list(backbones.METHODS)


def make_folder(test):
  """An empty folder until the test ends."""
  return pathlib.Path(test.enterContext(tempfile.TemporaryDirectory()))


def make_row(method="bce", seed=0, top1=0.5, auroc=0.9, **fields):
  """A made-up line; the form 'softmax' is a tenth better than 'cosine'."""
  figures = {
    form: {
      environment: dict.fromkeys(adaptation.FIGURES, auroc + more)
      for environment in envgen.ENVIRONMENTS
    }
    for form, more in (("cosine", 0.0), ("softmax", 0.1))
  }
  row = {"backbone": f"b{top1}", "crc": f"{top1}", "top1": top1}
  row |= {"method": method, "seed": seed, "settings": {}, "num_steps": None}
  return row | {"form": "softmax", "figures": figures} | fields


class RunsTest(parameterized.TestCase):
  def test_all_methods_and_seeds_once(self):
    runs = backbones.list_runs([SHIPPED], METHODS, [0, 1, 2], ["main", "main"])
    # Zero-shot has one seed.
    self.assertLen(runs, 5 * 3 + 1)
    self.assertEqual({run["seed"] for run in runs[:6]}, {0})

  def test_usual_value_is_the_main_run(self):
    main, clips = (
      backbones.list_runs([SHIPPED], ["bce"], [0], [study])
      for study in ("main", "clips")
    )
    keys = [backbones.key_of(run) for run in clips]
    self.assertLen(keys, 3)
    self.assertIn(backbones.key_of(main[0]), keys)

  def test_shorter_runs_have_shorter_epochs(self):
    (run,) = backbones.list_runs([SHIPPED], ["bce"], [0], ["main"], 150)
    config = backbones.make_config(run, SHIPPED)
    usual = envgen.get_config()
    for part, name in (("train", "epoch_steps"), ("optim", "warmup_steps")):
      self.assertEqual(2 * config[part][name], usual[part][name])
    self.assertEqual(config.train.num_steps, 150)

  def test_prompts_are_studied_where_they_are(self):
    runs = backbones.list_runs([SHIPPED], METHODS, [0], ["clusters"])
    self.assertEqual({r["method"] for r in runs}, {"prompts", "prompts_bce"})

  @parameterized.parameters(METHODS)
  def test_settings_make_sense(self, method):
    for run in backbones.list_runs(
      [SHIPPED], [method], [3], list(backbones.STUDIES)
    ):
      config = backbones.make_config(run, SHIPPED)
      self.assertEqual(config.seed, 3)
      self.assertEqual(config.train.num_steps == 0, method == "zero_shot")
      if config.train.num_steps:
        train.check(config)
      weights = {k: v for k, v in config.loss.weights.items() if v}
      if method != "zero_shot" and not run["settings"]:
        self.assertEqual(weights, backbones.METHODS[method])

  def test_unknown_files(self):
    with self.assertRaises(FileNotFoundError):
      backbones.find_backbones([make_folder(self)])


class LinesTest(absltest.TestCase):
  def test_finished_runs_are_found_again(self):
    path = make_folder(self) / "a" / "runs.jsonl"
    self.assertEqual(backbones.read(path), [])
    runs = backbones.list_runs([SHIPPED], ["prompts"], [0], ["tasks", "length"])
    for run in runs:
      backbones.append(path, run | {"form": "cosine"})
    stored = backbones.read(path)
    self.assertEqual(
      [backbones.key_of(run) for run in runs],
      [backbones.key_of(row) for row in stored],
    )


class ReportTest(absltest.TestCase):
  def test_means_by_hand(self):
    rows = [make_row(seed=0, auroc=0.6), make_row(seed=1, auroc=0.8)]
    result = {
      one["form"]: one
      for one in backbones_report.means(rows)
      if one["environment"] == "tabletop/test2"
    }
    self.assertEqual(result["cosine"]["seeds"], [0, 1])
    spread = result["cosine"]["auroc"]
    np.testing.assert_allclose(spread["mean"], 0.7)
    np.testing.assert_allclose(spread["std"], 0.1414, atol=1e-4)
    np.testing.assert_allclose(result["chosen"]["auroc"]["mean"], 0.8)

  def test_backbones_stay_apart(self):
    rows = [make_row(top1=0.3), make_row(top1=0.5)]
    means = backbones_report.means(rows)
    self.assertEqual({one["backbone"] for one in means}, {"b0.3", "b0.5"})

  def test_all_is_written(self):
    folder = make_folder(self)
    rows = [
      make_row(method, seed, top1, auroc=0.5 + top1 / 4)
      for method in METHODS
      for seed in (0, 1)
      for top1 in (0.3, 0.5, 0.7)
    ]
    settings = backbones.STUDIES["clips"]["8+8"]
    rows.append(make_row(settings=settings))
    path = folder / "runs.jsonl"
    backbones_report.write(rows, backbones.STUDIES, path, folder / "p.png")
    self.assertTrue((folder / "p.png").exists())
    means = json.loads((folder / "runs.json").read_text())["rows"]
    self.assertLen(means, (6 * 3 + 1) * 3 * 4)

  def test_tables(self):
    rows = [make_row(seed=0, auroc=0.6), make_row(seed=1, auroc=0.8)]
    tables = backbones_report.tables(rows, backbones.STUDIES)
    self.assertLen(tables, 3)
    self.assertIn("| 0.50 | VLC + CDC + BCE | 0.80 ± 0.14 |", tables[0])

  def test_nothing_to_report(self):
    with self.assertRaisesRegex(ValueError, "no finished runs"):
      backbones_report.write([], {}, pathlib.Path("x"), "y")


class BatchesTest(absltest.TestCase):
  def test_same_as_those_from_disk(self):
    folder = make_folder(self)
    rng = np.random.default_rng(0)
    tasks = ("closing drawer", "opening drawer", "moving part of faucet")
    clips = [
      records.Record(
        frames=rng.integers(0, 256, (6, 8, 8, 3), np.uint8),
        instruction=tasks[i % 3],
        success=i % 2 == 0,
      )
      for i in range(18)
    ]
    store.write_shards(folder, "robot", {}, [len(clips)], lambda _: clips)
    robot = dataset.open_dataset(folder, "robot")
    parts = {
      name: adaptation.Part(
        pipeline.load_clips(one, num_frames=4, image_size=8).frames,
        pipeline.label_rows(one, tasks),
      )
      for name, one in zip(
        ("human", "robot", "failure"), (robot, *robot.split()), strict=True
      )
    }
    sizes = {"human": 5, "robot": 4, "failure": 3}
    expected = pipeline.make_batches(
      robot,
      robot,
      instructions=tasks,
      tokenizer=lambda texts, length: np.zeros((2, len(texts), length), int),
      batch_sizes=sizes,
      num_frames=4,
      image_size=8,
      seed=7,
      num_steps=6,
    )
    made = adaptation.make_batches(parts, sizes, seed=7, num_steps=6)
    for want, got in zip(expected, made, strict=True):
      for name in parts:
        for key in ("frames", "task", "record"):
          np.testing.assert_array_equal(got[name][key], want[name][key])


if __name__ == "__main__":
  absltest.main()
