"""Model cards say what the settings and the report say, and nothing else."""

import copy
import re

import pytest

from a2r.models import card, trained

SETTINGS = {
  "seed": 17,
  "data": {
    "dir": "/disk/someone/datasets",
    "robot": {
      "source": "tabletop",
      "path": "",
      "environment": "tabletop/train",
      "tasks": ["close_drawer", "open_drawer"],
      "successes": 90,
      "failures": 80,
    },
    "human": {"source": "procedural", "path": ""},
  },
  "model": {"init": "small_backbone"},
  "train": {"num_steps": 300},
  "eval": {"environments": ["tabletop/train", "tabletop/test1"]},
}


def row(environment, **figures):
  blank = dict.fromkeys(["auroc_near_miss", "auroc_random", "retrieval"])
  return blank | {"form": "cosine", "environment": environment} | figures


REPORT = {
  "report": {
    "form": "cosine",
    "validation": {"cosine": 0.8371, "softmax": 0.8042},
    "rows": [],
    "summary": [
      row(
        "tabletop/train",
        num_success=211,
        num_failure=199,
        auroc=0.9132,
        auroc_interval=[0.9013, 0.9262],
        auroc_near_miss=0.8628,
      ),
      row(
        "tabletop/test1",
        num_success=7,
        num_failure=188,
        auroc=0.7413,
        auroc_interval=[0.7015, 0.7765],
        auroc_near_miss=None,
      ),
      {"form": "softmax", "environment": "tabletop/test1", "auroc": 0.5555},
    ],
    "clips": [{"name": "someone.mp4", "score": 0.3}],
    "notes": ["half of the clips are short"],
  },
  "date": "2031-04-05T06:07:08+00:00",
  "machine": {"platform": "SomeMachine"},
  "commit": "0123456789ab",
  "command": "python -m launch.train --config=configs/envgen.py "
  "--workdir=/disk/someone/run",
  "versions": {"jax": "9.8.7"},
  "backbone": {"init": "small_backbone", "data": "drawn clips"},
  "config": SETTINGS,
}


def make_config(settings=SETTINGS, report=REPORT, **changes):
  return {
    "num_params": 1234567,
    "dtype": "float32",
    "model": {
      "backbone": {"image_size": 64, "num_frames": 4},
      "num_failure_prompts": 3,
    },
    "instructions": ["closing drawer", "opening drawer", "juggling"],
    "num_trained": 2,
    "form": "cosine",
    "failure_prompts": True,
    "record": trained.make_record(settings, report, step=240),
  } | changes


def with_settings(**data):
  settings = copy.deepcopy(SETTINGS)
  settings["data"] |= data
  return settings, REPORT | {"config": settings}


def test_figures_are_those_of_the_report():
  shown = card.render(make_config())
  lines = [line for line in shown.splitlines() if line.startswith("| tab")]
  assert lines == [
    "| tabletop/train (trained in) | 211 | 199 | 0.913 | 0.901-0.926 | 0.863 |",
    # No interval over seven successes, and near misses were not there.
    "| tabletop/test1 | 7 | 188 | 0.741 | - | - |",
  ]
  assert "AUROC there: cosine 0.837, softmax 0.804" in shown
  assert "0.555" not in shown
  assert "Note: half of the clips are short" in shown
  missing = re.search(r"\*\*Not measured\*\*: (.*)", shown)[1]
  assert "random motion" in missing and "video of a real robot" in missing
  assert "near misses" not in missing
  report = copy.deepcopy(REPORT)
  report["report"]["summary"][0] |= {"num_success": 4321, "auroc": 0.12349}
  changed = card.render(make_config(report=report))
  assert "| 4321 | 199 | 0.123 |" in changed and "0.913" not in changed


def test_what_it_is_and_was_made_with():
  shown = card.render(make_config())
  header = shown.split("---")[1]
  for line in ("license: apache-2.0", "library_name: jax", "- robotics"):
    assert line in header.splitlines()
  assert "1,234,567 parameters in float32" in shown
  assert "4 frames of 64 x 64" in shown
  assert "Seed 17, weights of step 240 of 300; code 0123456789ab; jax 9.8" in (
    shown
  )
  assert "python -m launch.train --config=configs/envgen.py" in shown
  for section in ("Use", "Data", "What a score means", "Limits", "License"):
    assert f"\n## {section}\n" in shown


def test_trained_instructions_are_told_from_known_ones():
  shown = card.render(make_config())
  trained_part, known = shown.split("Known from human clips alone:")
  assert "- closing drawer\n- opening drawer\n" in trained_part
  assert "- juggling" not in trained_part and "- juggling" in known
  assert "each has 3 learned failure prompts" in shown
  without = card.render(make_config(failure_prompts=False, num_trained=3))
  assert "failure prompts were not trained" in without
  assert "Known from human clips alone" not in without


def test_no_dates_and_no_folders_of_the_machine():
  shown = card.render(make_config())
  for secret in ("someone", "/disk", "2031", "SomeMachine", "datasets"):
    assert secret not in shown
  settings, report = with_settings(
    robot={"source": "folder", "path": "~/private/my.csv"}
  )
  settings["model"]["init"] = "../runs/other"
  shown = card.render(make_config(settings, report))
  assert "private" not in shown and '"my.csv"' in shown
  assert "runs/other" not in shown and '"other"' in shown


@pytest.mark.parametrize(
  "data, init, license, said",
  [
    ({}, "small_backbone", "apache-2.0", "**simulated**"),
    ({}, "scratch", "apache-2.0", "**procedural**"),
    ({}, "my_backbone", "other", "terms of the data and of the backbone"),
    ({"human": {"source": "ssv2"}}, "scratch", "other", "Something V2"),
    ({"robot": {"source": "folder"}}, "scratch", "other", "user's own videos"),
  ],
)
def test_data_decide_what_is_said_of_them(data, init, license, said):
  settings, report = with_settings(**data)
  settings["model"]["init"] = init
  shown = card.render(make_config(settings, report))
  assert f"\nlicense: {license}\n" in shown and said in shown
  real = "robot" in data
  assert ("No real robot was filmed" in shown) == (not real)
  assert ("no figure is of real video" in shown) == (not real)


def test_no_task_named_means_all_that_were_trained():
  settings, report = with_settings(
    robot=SETTINGS["data"]["robot"] | {"tasks": []}
  )
  shown = card.render(make_config(settings, report))
  assert "90 successes and 80 failures of each of 2 tasks" in shown


@pytest.mark.parametrize("source", ["records", "folder", "lerobot", "rlds"])
@pytest.mark.parametrize("path", ["", "/disk/someone/held_out/"])
def test_own_clips_have_a_test_set_where_its_path_is(source, path):
  settings, report = with_settings(robot={"source": source, "test_path": path})
  shown = card.render(make_config(settings, report))
  assert ("There was no test set" in shown) == (not path)
  assert f"Robot clips: {source}" not in shown
  assert "someone" not in shown


def test_what_is_missing_is_said():
  shown = card.render(make_config(report=None))
  assert "**None**: these weights have not been evaluated" in shown
  assert "Command: not recorded." in shown
  assert "AUROC" not in shown
  # A report made with other settings is not of these weights.
  stale = REPORT | {"config": SETTINGS | {"seed": 18}}
  assert card.render(make_config(report=stale)) == shown
  settings = copy.deepcopy(SETTINGS) | {"eval": {"environments": []}}
  shown = card.render(make_config(settings, REPORT | {"config": settings}))
  assert "the figures are too good" in shown


def test_form_and_dtype_are_explained():
  softmax = card.render(make_config(form="softmax", dtype="bfloat16"))
  assert "a probability among the known instructions" in softmax
  assert "rounded to bfloat16; the figures are of float32" in softmax
  assert "not a probability" in card.render(make_config())
