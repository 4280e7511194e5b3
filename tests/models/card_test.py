"""Model cards say what the settings and the report say, and nothing else."""

import copy
import re

import markdown_it
import pytest

from a2r.models import card, saved
from tests import mistakes

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
    "record": saved.make_record(settings, report, step=240),
  } | changes


def with_settings(**data):
  settings = copy.deepcopy(SETTINGS)
  settings["data"] |= data
  return settings, REPORT | {"config": settings}


def render(config):
  """The card with every paragraph in one line."""
  paragraphs = card.render(config).split("\n\n")
  return "\n\n".join(
    text if "|" in text else " ".join(text.split()) for text in paragraphs
  )


def test_figures_are_those_of_the_report():
  text = render(make_config())
  assert [line for line in text.splitlines() if line.startswith("| tab")] == [
    "| tabletop/train (trained in) | 211 | 199 | 0.913 | 0.901-0.926 | 0.863 |",
    # No interval over seven successes, and near misses were not there.
    "| tabletop/test1 | 7 | 188 | 0.741 | - | - |",
  ]
  assert "cosine 0.837, softmax 0.804" in text
  assert "0.555" not in text
  assert "half of the clips are short" in text
  missing = re.search(r"\*\*Not measured\*\*: (.*)", text)[1]
  assert "random motion" in missing and "video of a real robot" in missing
  assert "near misses" not in missing
  assert len(set(missing.split("; "))) == missing.count("; ") + 1


def test_facts_of_the_model_and_its_run():
  text = card.render(make_config())
  header = text.split("---")[1].splitlines()
  assert {"license: apache-2.0", "library_name: jax"} <= {*header}
  for fact in ("1,234,567", "float32", "4 frames", "64 x 64"):
    assert fact in text
  for fact in ("Seed 17", "step 240 of 300", "0123456789ab", "jax 9.8.7"):
    assert fact in text
  assert "python -m launch.train --config=configs/envgen.py" in text
  assert "not a probability" in text
  softmax = render(make_config(form="softmax", dtype="bfloat16"))
  assert "0 to 1, among the known instructions" in softmax
  assert "rounded to bfloat16" in softmax


def test_trained_instructions_are_told_from_known_ones():
  trained, known = render(make_config()).split("Known from human clips alone:")
  assert "- `closing drawer` - `opening drawer`" in trained
  assert "- `juggling`" not in trained and "- `juggling`" in known
  assert "3 learned failure prompts" in trained
  without = render(make_config(failure_prompts=False, num_trained=3))
  assert "failure prompts were not trained" in without
  assert "Known from human clips alone" not in without


def test_no_dates_and_no_folders_of_the_machine():
  text = render(make_config())
  for secret in ("someone", "/disk", "2031", "SomeMachine", "datasets"):
    assert secret not in text
  settings, report = with_settings(
    robot={"source": "folder", "path": "~/private/my.csv"}
  )
  settings["model"]["init"] = "../runs/other"
  text = render(make_config(settings, report))
  assert "private" not in text and '"my.csv"' in text
  assert "runs/other" not in text and '"other"' in text


@pytest.mark.parametrize(
  "data, init, license, fact",
  [
    ({}, "small_backbone", "apache-2.0", "**simulated**"),
    ({}, "scratch", "apache-2.0", "**procedural**"),
    ({}, "my_backbone", "other", "terms of the data and of the backbone"),
    ({"human": {"source": "ssv2"}}, "scratch", "other", "Something V2"),
    ({"robot": {"source": "folder"}}, "scratch", "other", "user's own videos"),
  ],
)
def test_data_decide_what_is_said_of_them(data, init, license, fact):
  settings, report = with_settings(**data)
  settings["model"]["init"] = init
  config = make_config(settings, report)
  assert f"\nlicense: {license}\n" in card.render(config)
  text = render(config)
  assert fact in text
  real = "robot" in data
  assert ("No real robot was filmed" in text) == (not real)
  assert ("no figure is of real video" in text) == (not real)
  tasks = "90 successes and 80 failures of each of 2 tasks"
  assert (tasks in text) == (not real)


@pytest.mark.parametrize("source", ["records", "folder", "lerobot", "rlds"])
@pytest.mark.parametrize("path", ["", "/disk/someone/held_out/"])
def test_own_clips_have_a_test_set_where_its_path_is(source, path):
  settings, report = with_settings(robot={"source": source, "test_path": path})
  text = render(make_config(settings, report))
  assert ("no test set" in text) == (not path)
  assert f"Robot clips: {source}" not in text
  assert "someone" not in text


def test_what_is_missing_is_said():
  text = render(make_config(report=None))
  assert "have not been evaluated" in text and "not recorded" in text
  assert "AUROC" not in text
  # A report made with other settings is not of these weights.
  stale = REPORT | {"config": SETTINGS | {"seed": 18}}
  assert render(make_config(report=stale)) == text
  settings = copy.deepcopy(SETTINGS) | {"eval": {"environments": []}}
  text = render(make_config(settings, REPORT | {"config": settings}))
  assert "the figures are too good" in text


_PARSER = markdown_it.MarkdownIt().enable(["table", "strikethrough"])
_HOSTILE = (
  "x <script>alert(1)</script> [a](https://b.example) ![c](d) | `e` **f**"
  " https://g.example www.h.example\n\n---\nlicense: mit\n---\n\n# I\n\n"
  "```\n\n</details>\n\n<img src=j>\n\n- k"
)


def _spoil(value):
  """Plain values whose texts end in markup."""
  if isinstance(value, dict):
    return {key: _spoil(item) for key, item in value.items()}
  if isinstance(value, list):
    return [_spoil(item) for item in value]
  return value + _HOSTILE if isinstance(value, str) else value


def _structure(text):
  """Headings, links, pictures, HTML and fences of Markdown, in order."""
  found = []
  for token in _PARSER.parse(text):
    if token.type in ("html_block", "heading_open", "hr", "fence"):
      found.append((token.type, token.tag, token.info))
    for child in token.children or ():
      if child.type in ("html_inline", "link_open", "image", "strong_open"):
        found.append((child.type, child.attrs.get("href"), child.content))
  return found


@pytest.mark.parametrize("source", ["tabletop", "folder"])
def test_texts_of_others_are_no_markup(source):
  robot = SETTINGS["data"]["robot"] | {"source": source}
  config = make_config(*with_settings(robot=robot))
  record = _spoil(config["record"])
  # What is chosen of known names.
  record["settings"]["data"] = config["record"]["settings"]["data"]
  record["settings"]["data"]["robot"]["environment"] += _HOSTILE
  figures = record["figures"]
  for fields in (figures, *figures["summary"]):
    fields["form"] = fields["form"].removesuffix(_HOSTILE)
  spoiled = {
    "record": record,
    "instructions": _spoil(config["instructions"]),
  }
  plain = card.render(config)
  hostile = card.render(config | spoiled)
  head = hostile.split("\n---\n")[0].replace("other", "apache-2.0")
  assert head == plain.split("\n---\n")[0].replace("other", "apache-2.0")
  assert _structure(hostile) == _structure(plain)


@pytest.mark.parametrize(
  "change", [{"settings": {}}, {"figures": 3}, {"settings": 1}]
)
def test_a_record_that_is_no_runs_is_one_line(change):
  config = make_config()
  config["record"] |= change
  mistakes.check(lambda: card.render(config), ValueError, "record card")
