"""Both layouts of the download, and files that are not what they should be."""

import json

import pytest

from benchmarks import ssv2_mini
from data.ssv2 import layout

_TEMPLATES = tuple(ssv2_mini.MOTIONS)[:2]


@pytest.fixture
def make(tmp_path):
  """Function of the layout to a folder with four tiny videos or more."""

  def write(**changes):
    ssv2_mini.make(
      tmp_path,
      per_template=1,
      templates=_TEMPLATES,
      sizes=((16, 16),),
      num_bad=0,
      **changes,
    )
    return tmp_path

  return write


@pytest.mark.parametrize("first_layout", [False, True])
def test_both_layouts(make, first_layout):
  folder = make(first_layout=first_layout)
  found = layout.find(folder)
  assert found.templates == (
    "Closing something",
    "Moving something away from the camera",
  )
  assert found.videos == folder / "20bn-something-something-v2"
  (first, second) = layout.load_split(found, "train")
  assert found.path(first.name).is_file()
  assert first.template == "Closing something"
  assert first.label.startswith("closing ") and "[" not in first.label
  assert second.template == "Moving something away from the camera"
  assert len(layout.load_split(found, "validation")) == 2
  assert layout.count(found, "test") == 2


def test_the_test_split_has_templates_where_answers_are(make):
  found = layout.find(make())
  video, _ = layout.load_split(found, "test")
  assert video.template == "Closing something"
  assert video.label == "closing something"
  found.answers.unlink()
  with pytest.raises(ValueError, match="no template; .* test-answers.csv"):
    layout.load_split(layout.find(found.folder), "test")


def test_videos_beside_the_annotations_and_the_digest_of_these(make):
  folder = make(first_layout=True)
  found = layout.find(folder)
  for video in found.videos.iterdir():
    video.rename(folder / video.name)
  assert layout.find(folder).videos == folder
  digest = found.digest()
  assert layout.find(folder).digest() == digest
  found.annotations["train"].write_text("[]")
  assert layout.find(folder).digest() != digest


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_videos_of_other_formats(make, suffix):
  found = layout.find(make())
  first, second = layout.load_split(found, "train")
  moved = found.path(first.name).rename(found.videos / f"{first.name}{suffix}")
  assert found.path(first.name) == moved
  assert found.path(second.name).suffix == ".webm"
  for file in found.videos.glob("*.webm"):
    file.rename(file.with_suffix(suffix))
  assert layout.find(found.folder).videos == found.videos
  assert found.path(second.name).suffix == suffix
  assert found.path("7").suffix == ".webm"


def test_what_is_not_there_is_told(make, tmp_path):
  with pytest.raises(FileNotFoundError, match="/nowhere: no such folder"):
    layout.find("/nowhere")
  with pytest.raises(FileNotFoundError, match="neither .*v2-labels.json nor"):
    layout.find(tmp_path)
  found = layout.find(make())
  with pytest.raises(ValueError, match="unknown split 'val'; known: train, "):
    layout.load_split(found, "val")
  found.annotations["validation"].unlink()
  with pytest.raises(FileNotFoundError, match="no annotations of 'validation'"):
    layout.load_split(layout.find(found.folder), "validation")


@pytest.mark.parametrize(
  "content, message",
  [
    ("{", "train.json is not JSON"),
    ("{}", "train.json is not a JSON list"),
    ('[{"template": "Closing [something]"}]', "entry 0 has no id"),
    ('["78687"]', "entry 0 has no id"),
    ('[{"id": "a/7", "label": "x"}]', "entry 0 has the id 'a/7', no number"),
    ('[{"id": "7", "template": 0.5, "label": "x"}]', "7 .* template, but 0.5"),
    ('[{"id": "7", "template": "x"}]', "video 7 has no text for its label"),
    ('[{"id": "7", "template": "x", "label": {}}]', "7 .* label, but {}"),
    (
      json.dumps([{"id": "7", "template": "Eating [something]", "label": "x"}]),
      "video 7 has the template .*Eating .* not one of the 2 in labels.json",
    ),
  ],
)
def test_faulty_annotations_are_named(make, content, message):
  found = layout.find(make())
  found.annotations["train"].write_text(content)
  with pytest.raises(ValueError, match=message):
    layout.load_split(found, "train")


def test_files_may_begin_with_a_mark_of_their_encoding(make):
  found = layout.find(make())
  for file in (*found.annotations.values(), found.answers):
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
  again = layout.find(found.folder)
  for split in layout.SPLITS:
    assert len(layout.load_split(again, split)) == 2


def test_labels_are_numbered(make):
  folder = make()
  for content in ('{"Closing something": "first"}', '{"Closing": [1]}'):
    (file,) = folder.rglob("labels.json")
    file.write_text(content)
    with pytest.raises(ValueError, match="labels.json: templates with their n"):
      layout.find(folder)
