"""An evaluation's tables, its files and its page."""

import dataclasses
import html.parser
import json

import pytest

from a2r.evaluation import evaluate, report


def make_result():
  row = {
    "form": "cosine",
    "environment": "tabletop/train",
    "num_tasks": 1,
    "num_success": 40,
    "num_failure": 38,
    "num_failure_near_miss": 38,
    "num_failure_random": 0,
    "auroc": 0.953,
    "auroc_near_miss": 0.953,
    "auroc_random": None,
    "auroc_interval": [0.91, 0.988],
    "retrieval": 0.875,
    "retrieval_tasks": 1.0,
    "reward_success": 0.61,
    "reward_other_text": -0.2,
    "reward_near_miss": 0.305,
    "reward_random": None,
  }
  other = row | {"form": "softmax", "auroc": 0.9}
  task = {k: v for k, v in row.items() if k != "auroc_interval"}
  return evaluate.Report(
    form="cosine",
    validation={"cosine": 0.97, "softmax": 0.95},
    rows=[task | {"task": "close_drawer"}],
    summary=[row, other],
    examples=[],
    instructions=["closing drawer"],
  )


def test_the_chosen_form_is_shown_and_all_are_compared():
  table = report.compare_forms(make_result())
  assert table.rows == [["cosine", 0.97, 0.953], ["softmax", 0.95, 0.9]]
  text = report.summary(make_result())
  lines = text.splitlines()
  assert lines[0] == (
    "Form of the reward: cosine (chosen on the validation clips, AUROC 0.97)"
  )
  assert lines[5].split() == [
    "tabletop/train", "40", "38", "0.95", "0.91-0.99", "0.95", "-",
  ]  # fmt: skip
  assert "-0.20" in text
  assert "0.90" not in text


def test_few_clips_are_reported():
  row = make_result().summary[0] | {
    "environment": "own clips",
    "num_success": 1,
    "num_failure": 1,
    "auroc": 1.0,
    "auroc_interval": [1.0, 1.0],
    "auroc_near_miss": None,
    "reward_near_miss": None,
    "reward_failure": 0.25,
  }
  clip = {"name": "a.mp4", "instruction": "close", "success": False}
  result = dataclasses.replace(
    make_result(),
    summary=[row],
    rows=[row | {"task": "close"}],
    clips=[clip | {"score": 0.25, "outranked": 0.5}] * 50,
    notes=["two clips say nothing"],
    num_validation=[12, 11],
  )
  text = report.summary(result)
  lines = text.splitlines()
  assert lines[0].endswith("AUROC 0.97 of 12 successes and 11 failures)")
  assert lines[5].split() == [
    "own", "clips", "1", "1", "1.00", "on", "1+1", "clips", "-",
  ]  # fmt: skip
  assert "near" not in text
  assert "success, other text" in text and "  failure  " in text
  assert text.count("a.mp4") == 20
  assert "All 50 clips are in report.json" in text
  assert text.endswith("NOTE: two clips say nothing")
  assert "NOTE" not in report.summary(result, result.notes)
  assert report.tasks(result.rows).rows[0][4] == "1.00 on 1+1 clips"
  assert len(report.clips(result.clips).rows) == 50


def test_a_perfect_figure_has_no_interval():
  row = make_result().summary[0]
  row |= {"auroc": 1.0, "auroc_interval": [1 - 5e-15, 1.0]}
  cells = report.environments([row]).rows[0]
  assert cells[1:5] == [40, 38, 1.0, None]


def test_report_can_be_read_again(tmp_path):
  result = make_result()
  report.write(
    result, tmp_path, config={"seed": 3, "size": (1, 2)}, card={"top1": 0.5}
  )
  stored, record = report.read(tmp_path)
  assert dataclasses.asdict(stored) == dataclasses.asdict(result)
  assert record["seed"] == 3
  assert record["backbone"] == {"top1": 0.5}
  assert record["versions"]["jax"]
  assert record["machine"]["num_devices"] >= 1
  assert not (tmp_path / report.PNG_FILE).exists()
  names = sorted(path.name for path in tmp_path.iterdir())
  assert names == ["digests.json", "report.json"]


def test_page_holds_everything(tmp_path):
  rows = [{"step": i, "train/loss": 1.0 / i} for i in (1, 2, 3)]
  lines = [json.dumps(row) + "\n" for row in rows]
  (tmp_path / "metrics.jsonl").write_text("".join(lines))
  (tmp_path / "report.png").write_bytes(b"png")
  report.write(make_result(), tmp_path, config={"seed": 3, "name": "<b>"})
  text = report.page(tmp_path)
  assert "close_drawer" in text
  assert '<th>environment</th><th class="number">successes</th>' in text
  assert '<td>tabletop/train</td><td class="number">40</td>' in text
  assert "data:image/png;base64," in text and "data:image/svg+xml" in text
  assert "seed 3 · 2" in text and " · jax 0." in text
  assert "&lt;b&gt;" in text and "<b>" not in text
  assert "http" not in text.split("<body>")[0]


class _Tags(html.parser.HTMLParser):
  """The tags of a page with their attributes, but for titles of links."""

  def __init__(self, page):
    super().__init__()
    self.found = []
    self.feed(page)

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, [name for name, _ in attrs]))


def _spoil(value, kept):
  """Plain values whose texts are hostile, but for some that are names."""
  if isinstance(value, dict):
    return {
      k: item if k in kept else _spoil(item, kept) for k, item in value.items()
    }
  if isinstance(value, list):
    return [_spoil(item, kept) for item in value]
  return "</pre><script>a()</script>" if isinstance(value, str) else value


def test_texts_of_others_are_no_markup(tmp_path):
  report.write(make_result(), tmp_path, config={"seed": 3, "name": "b"})
  expected = _Tags(report.page(tmp_path)).found
  path = tmp_path / "report.json"
  record = json.loads(path.read_text())
  path.write_text(json.dumps(_spoil(record, ("form", "validation"))))
  (tmp_path / "digests.json").unlink()
  page = report.page(tmp_path)
  assert _Tags(page).found == expected and "&lt;script&gt;" in page
  for key in set(record) - {"commit", "command"}:
    path.write_text(json.dumps({k: record[k] for k in set(record) - {key}}))
    with pytest.raises(ValueError, match=r"report\.(json|html)"):
      report.page(tmp_path)
  path.write_text("-1")
  with pytest.raises(ValueError, match=r"report\.json"):
    report.page(tmp_path)
  path.unlink()
  rows = [{"step": step, "loss": 1.0} for step in (1, {})]
  lines = [json.dumps(row) + "\n" for row in rows]
  (tmp_path / "metrics.jsonl").write_text("".join(lines))
  with pytest.raises(ValueError, match=r"metrics\.jsonl"):
    report.page(tmp_path)


def test_page_of_an_unfinished_run(tmp_path):
  with pytest.raises(FileNotFoundError, match="neither report.json"):
    report.page(tmp_path)
  (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
  assert "not been evaluated" in report.page(tmp_path)
  (tmp_path / "report.json").write_text('{"report": {}}')
  with pytest.raises(ValueError, match="is not a report"):
    report.page(tmp_path)


@pytest.mark.parametrize("key", ["commit", "seed", "config", "versions"])
def test_what_a_page_lacks_is_told_with_its_folder(tmp_path, key):
  report.write(make_result(), tmp_path, config={"seed": 3})
  (tmp_path / "digests.json").unlink()
  file = tmp_path / "report.json"
  record = json.loads(file.read_text())
  del record[key]
  file.write_text(json.dumps(record))
  with pytest.raises(ValueError, match=f"{tmp_path}: .*report.json.*{key}"):
    report.page(tmp_path)
