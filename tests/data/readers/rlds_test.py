"""RLDS data sets, made by tensorflow-datasets: labels, fields, and faults."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from data import images, store
from data.readers import base, rlds
from tests.data.readers.rlds_sets import LENGTHS, NUMBER, TEXT, level, make


@pytest.fixture(name="toy", scope="module")
def _toy(tmp_path_factory):
  return make(tmp_path_factory.mktemp("toy"))


@pytest.fixture(name="usual", scope="module")
def _usual(read, toy, tmp_path_factory):
  """The clips of `toy`, as they are stored by default."""
  return read(rlds, toy, tmp_path_factory.mktemp("usual"))[0]


def test_episodes_become_clips(read, toy, tmp_path):
  stored, notes = read(rlds, toy, tmp_path)
  assert sorted(stored.name) == [f"train episode {n}" for n in range(3)]
  assert set(stored.instruction) == {"close the drawer"}
  assert stored.success.sum() == 2
  seen = set()
  for row in range(3):
    levels = stored.read(row).frames.mean(axis=(1, 2, 3))
    episode = int(levels[0] - 10) // 60
    seen.add(episode)
    assert stored.success[row] == (episode != 1)
    last = LENGTHS[episode] - 1
    wanted = [level(episode, step) for step in (0, last / 2, last)]
    np.testing.assert_allclose(levels, wanted, atol=5)
  assert seen == {0, 1, 2}
  assert "'steps/observation/image'" in notes[0]
  assert "'steps/reward' reaches 1" in notes[1]


def test_fields_may_be_named(read, toy, tmp_path):
  stored, _ = read(rlds, toy, tmp_path, success_key="steps/is_terminal")
  assert stored.success.all()
  for setting, wrong in (
    ("camera", "steps/image"),
    ("instruction_key", "text"),
    ("success_key", "won"),
  ):
    with pytest.raises(ValueError, match=f"no.*'{wrong}'") as caught:
      read(rlds, toy, tmp_path, **{setting: wrong})
    assert setting in str(caught.value) and "steps/" in str(caught.value)


def test_several_pictures_are_listed(read, tmp_path):
  feature = tfds.features.Image(shape=(4, 4, 3))
  white = np.full((4, 4, 3), 255, np.uint8)
  path = make(tmp_path / "a", front=(feature, white))
  stored, notes = read(rlds, path, tmp_path)
  assert "'steps/observation/image'" in notes[0]
  stored, _ = read(rlds, path, tmp_path, camera="steps/front")
  assert stored.read(0).frames.min() > 250
  path = make(tmp_path / "b", image=(feature, white))
  with pytest.raises(ValueError, match="2 fields may be meant.*'steps/im"):
    read(rlds, path, tmp_path)


def test_faults_are_named(read, toy, tmp_path):
  with pytest.raises(ValueError, match="it has no features.json"):
    read(rlds, tmp_path, tmp_path)
  path = make(tmp_path / "silent", language_instruction=(TEXT, " "))
  with pytest.raises(
    ValueError, match="silent.* 3 of 3 clips .*: the instruction is empty"
  ):
    read(rlds, path, tmp_path / "sets")
  (path / "toy" / "2.0.0").mkdir()
  (path / "toy" / "2.0.0" / "features.json").write_text("{}")
  with pytest.raises(ValueError, match="several data sets; name one of"):
    read(rlds, path, tmp_path)
  with pytest.raises(ValueError, match="2.0.0: not a data set"):
    read(rlds, path / "toy" / "2.0.0", tmp_path)


def test_unreadable_pictures_leave_their_episode_out(read, tmp_path):
  files = tfds.features.Image(shape=(None, None, 3))

  def file(episode, step):
    size = (8, 8, 3) if (episode, step) == (0, 3) else (16, 32, 3)
    return np.full(size, level(episode, step), np.uint8)

  path = make(tmp_path / "set", sizes=(files, file))
  stored, notes = read(rlds, path, tmp_path, camera="steps/sizes")
  assert len(stored) == 2
  assert notes[-1].startswith("1 of 3 clips are left out: an unreadable pic")
  # A damaged file of one of them; and one without an instruction besides.
  (shard,) = path.rglob("*.tfrecord*")
  records = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
  (place,) = [n for n, record in enumerate(records) if b"1.h5" in record]
  # Of all fields: they have no order in a record.
  records[place] = records[place].replace(b"\x89PNG", b"none")
  with tf.io.TFRecordWriter(str(shard)) as writer:
    for record in records:
      writer.write(record)
  stored, notes = read(rlds, path, tmp_path)
  assert len(stored) == 2 and f"(train episode {place})" in notes[-1]


def test_both_kinds_of_reasons_count_together(read, tmp_path):
  texts = ["close it", "", "close it"]
  path = make(
    tmp_path / "set", language_instruction=(TEXT, lambda e, _: texts[e])
  )
  stored, notes = read(rlds, path, tmp_path)
  assert len(stored) == 2
  (listed,) = tmp_path.glob("robot-*/bad_clips.csv")
  head, row = listed.read_text().splitlines()
  assert head == "shard,clip,reason"
  assert row.startswith(",train episode ") and row.endswith("tion is empty")
  assert notes[-1].endswith(str(listed))

  def broken(row):
    raise OSError("it is broken")

  clips = rlds.open_clips(path, base.Options(num_frames=4))
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(images, "load_rgb", broken)
    with pytest.raises(ValueError, match="bad_clips.csv: 3 of 3 clips cannot"):
      store.store_clips(clips, tmp_path, "robot", image_size=16)


def test_pictures_of_a_whole_episode(read, usual, tmp_path):
  def picture(episode, step):
    return np.full((16, 32, 3), level(episode, step), np.uint8)

  def film(episode):
    return [picture(episode, step) for step in range(LENGTHS[episode])]

  kinds = tfds.features
  image = kinds.Image(shape=(16, 32, 3), encoding_format="png")
  films = {
    "video": kinds.Video(shape=(None, 16, 32, 3), encoding_format="png"),
    "sequence": kinds.Sequence(image),
    "tensor": kinds.Tensor(shape=(None, 16, 32, 3), dtype=np.uint8),
  }
  path = make(
    tmp_path / "set", films={name: (films[name], film) for name in films}
  )
  for name in films:
    stored, _ = read(rlds, path, tmp_path, camera=name)
    for row in range(3):
      frames = [clips.read(row).frames.astype(int) for clips in (stored, usual)]
      assert np.abs(frames[0] - frames[1]).max() <= 3


def test_an_enumeration_of_instructions(read, tmp_path):
  def task(*names, **other):
    return tfds.features.ClassLabel(
      names=names or None, **other
    ), lambda e, _: e % 2

  kept = (tfds.features.Scalar(np.int64), 7)
  words = task("close  it", "open it")
  path = make(tmp_path / "a", language_instruction=kept, instruction=words)
  stored, _ = read(rlds, path, tmp_path)
  assert sorted(stored.instruction) == ["close it", "close it", "open it"]
  # A text is taken before an enumeration; a number is none, and is told.
  path = make(tmp_path / "b", task=words, instruction=words)
  assert set(read(rlds, path, tmp_path)[0].instruction) == {"close the drawer"}
  stored, _ = read(rlds, path, tmp_path, instruction_key="steps/task")
  assert sorted(stored.instruction) == ["close it", "close it", "open it"]
  numbers = task(num_classes=2)
  path = make(tmp_path / "c", language_instruction=numbers, instruction=kept)
  with pytest.raises(ValueError, match=r"'steps/instruction' \(Scalar, int64"):
    read(rlds, path, tmp_path)
  named = {"instruction_key": "steps/language_instruction"}
  with pytest.raises(ValueError, match="ClassLabel, int64.* is no text of a"):
    read(rlds, path, tmp_path, **named)


def test_a_number_beyond_the_names_of_an_enumeration_is_no_text(read, tmp_path):
  words = tfds.features.ClassLabel(names=["close it", "open it", "push it"])
  kept = (tfds.features.Scalar(np.int64), 7)
  task = (words, lambda episode, _: episode)
  path = make(tmp_path / "set", language_instruction=kept, instruction=task)
  (labels,) = path.rglob("*.labels.txt")
  labels.write_text("close it\nopen it\n")
  stored, notes = read(rlds, path, tmp_path)
  assert sorted(stored.instruction) == ["close it", "open it"]
  assert "the instruction is empty" in notes[-1]


def test_codes_of_letters_are_an_instruction(read, tmp_path):
  codes = tfds.features.Tensor(shape=(32,), dtype=np.int32)

  def text(episode, step):
    letters = [b"", "öffne es".encode(), b"close it"][episode]
    return np.int32([*letters, *[0] * (32 - len(letters))])

  kept = (tfds.features.Scalar(np.int64), 7)
  path = make(
    tmp_path / "a", language_instruction=kept, instruction=(codes, text)
  )
  stored, notes = read(rlds, path, tmp_path)
  assert sorted(stored.instruction) == ["close it", "öffne es"]
  assert "the instruction is empty" in notes[-1]


def test_an_episode_of_several_instructions_is_told(read, tmp_path):
  texts = [["", "a", "a", "b"], ["a"] * 6, ["b", "b", "", "b", ""]]
  path = make(
    tmp_path / "set", language_instruction=(TEXT, lambda e, s: texts[e][s])
  )
  stored, notes = read(rlds, path, tmp_path)
  assert sorted(stored.instruction) == ["a", "a", "b"]
  assert "1 of 3 episodes have steps of several instructions" in notes[1]


def test_encoded_pictures_may_be_texts(read, usual, tmp_path):
  def encoded(episode, step):
    picture = np.full((16, 32, 3), level(episode, step), np.uint8)
    return {"rgb": images.encode_jpeg(picture)}

  kinds = tfds.features
  field = kinds.FeaturesDict({"rgb": kinds.Tensor(shape=(), dtype=np.object_)})
  path = make(tmp_path / "set", observation=(field, encoded))
  stored, notes = read(rlds, path, tmp_path)
  assert "pictures are 'steps/observation/rgb'" in notes[0]
  for row in range(3):
    frames = [clips.read(row).frames.astype(int) for clips in (stored, usual)]
    assert np.abs(frames[0] - frames[1]).max() <= 3


def test_the_path_of_a_file_tells_success(read, toy, tmp_path):
  folders = ["success", "success", "failure"]
  path = make(tmp_path / "a", file_fn=lambda e: f"LAB/{folders[e]}/{e}.h5")
  stored, notes = read(rlds, path, tmp_path)
  assert _labels(stored)[1].count(True) == 2
  said = "'episode_metadata/file_path' reaches 1 in 2 of 3"
  assert "disagree on 2 of 3" in notes[2] and said in notes[2]
  key = "episode_metadata/file_path"
  stored, _ = read(rlds, path, tmp_path, success_key=key)
  by_path = {level(e, 0) // 10: folders[e] == "success" for e in range(3)}
  for row in range(3):
    first = int(round(stored.read(row).frames[0].mean())) // 10
    assert stored.success[row] == by_path[first]
  # The usual path tells nothing, and is not spoken of.
  with pytest.raises(ValueError, match="file_path' has no value in any of the"):
    read(rlds, toy, tmp_path, success_key=key)
  _, notes = read(rlds, toy, tmp_path)
  assert not any("file_path" in note for note in notes)


def test_a_path_alone_that_tells_nothing_is_no_field_of_success(read, tmp_path):
  two = tfds.features.Tensor(shape=(2,), dtype=np.float32)
  path = make(tmp_path / "set", reward=(two, np.zeros(2, np.float32)))
  stored, notes = read(rlds, path, tmp_path)
  assert stored.success.tolist() == [True] * 3
  assert any("NO SUCCESS FIELD" in note for note in notes)


def _labels(stored):
  order = np.argsort(stored.seed)
  return stored.seed[order].tolist(), stored.success[order].tolist()


def test_no_value_is_no_label(read, tmp_path):
  def reward(missing):
    def value(episode, step):
      if missing == step or missing == "all" and episode == 2:
        return np.nan
      return float(step + 1 == LENGTHS[episode] and episode != 1)

    return NUMBER, value

  path = make(
    tmp_path / "set", reward=reward(0), late=reward(3), none=reward("all")
  )
  stored, notes = read(rlds, path, tmp_path)
  assert _labels(stored) == ([0, 1, 2], [True, False, True])
  assert len(notes) == 2
  stored, _ = read(rlds, path, tmp_path, success_key="steps/late")
  assert _labels(stored)[1] == [False, False, True]
  stored, notes = read(rlds, path, tmp_path, success_key="steps/none")
  assert _labels(stored) == ([0, 1], [True, False])
  assert "1 of 3 clips are left out: nothing tells its success" in notes[-1]


def test_an_enumeration_is_read_by_its_names(read, tmp_path):
  def label(*names, **other):
    feature = tfds.features.ClassLabel(names=names or None, **other)
    return feature, lambda episode, _: int(episode == 1)

  path = make(
    tmp_path / "set",
    success=label("success", "failure"),
    other=label("Fail", "yes"),
    numbers=label(num_classes=2),
    words=label("on", "off"),
  )
  for key, expected in (
    ("", [True, False, True]),
    ("steps/other", [False, True, False]),
    ("steps/reward", [True, False, True]),
  ):
    stored, _ = read(rlds, path, tmp_path, success_key=key)
    assert _labels(stored)[1] == expected
  with pytest.raises(ValueError, match="'steps/numbers' is an enumeration wi"):
    read(rlds, path, tmp_path, success_key="steps/numbers")
  with pytest.raises(ValueError, match="'steps/words' is 'on', no number and"):
    read(rlds, path, tmp_path, success_key="steps/words")


def test_the_first_text_that_is_not_empty_is_taken(read, tmp_path):
  texts = [["", " "], ["", "open  it"], ["push it", "open it"]]

  def part(row):
    # The third is in the last step alone.
    return TEXT, lambda e, s: ["", texts[e][0], "last" * (s == 3)][row]

  path = make(
    tmp_path / "set",
    texts=(tfds.features.Sequence(TEXT), lambda e, s: texts[e][: s + 1]),
    language_instruction=part(0),
    language_instruction_2=part(1),
    language_instruction_3=part(2),
  )
  stored, notes = read(rlds, path, tmp_path, instruction_key="steps/texts")
  assert sorted(stored.instruction) == ["open it", "push it"]
  assert notes[-1].startswith(
    "1 of 3 clips are left out: the instruction is empty (train episode 0)"
  )
  stored, notes = read(rlds, path, tmp_path)
  assert sorted(stored.instruction) == ["last", "last", "push it"]
  assert ", then 'steps/language_instruction_2', then" in notes[0]
  named = {"instruction_key": "steps/language_instruction_2"}
  with pytest.raises(ValueError, match="2 of 3 clips cannot be used"):
    read(rlds, path, tmp_path, **named)


def test_splits_and_shards(read, tmp_path):
  path = make(
    tmp_path / "set",
    splits=("test", "train", "val"),
    config=tfds.download.DownloadConfig(num_shards=2),
  )
  stored, notes = read(rlds, path, tmp_path)
  assert len(stored) == len(LENGTHS)
  assert "split 'train' is read; left out: 'test', 'val'" in notes
  # An episode has its number wherever its shard is read.
  clips = rlds.open_clips(path, base.Options(num_frames=2))
  for number in range(3):
    (record,) = clips.read_fn(number, number + 1)
    (row,) = np.flatnonzero(stored.seed == record.seed)
    ends = stored.read(row).frames[[0, -1]].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(record.frames.mean(axis=(1, 2, 3)), ends, atol=3)


def test_shards_in_a_folder_of_their_own(read, tmp_path):
  folder = make(tmp_path / "set") / "toy" / "1.0.0"
  (shard,) = folder.glob("*.tfrecord*")
  (folder / "train").mkdir()
  shard = shard.rename(folder / "train" / shard.name)
  file = folder / "dataset_info.json"
  content = json.loads(file.read_text())
  template = "{SPLIT}/{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
  content["splits"][0]["filepathTemplate"] = template
  file.write_text(json.dumps(content))
  stored, _ = read(rlds, folder, tmp_path)
  assert len(stored) == 3
  # Another shard makes other clips.
  records = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
  with tf.io.TFRecordWriter(str(shard)) as writer:
    for record in reversed(records):
      writer.write(record)
  again, _ = read(rlds, folder, tmp_path)
  assert again.files != stored.files
  first, last = stored.read(0).frames, again.read(2).frames
  np.testing.assert_array_equal(first, last)


def _array_record(root):
  return make(root, file_format="array_record")


def _parquet(root):
  return make(root, file_format="parquet")


def _sequence(root):
  return make(root, kind=tfds.features.Sequence)


def _tensor(root):
  feature = tfds.features.Tensor(shape=(16, 32, 3), dtype=np.uint8)
  observation = tfds.features.FeaturesDict({"image": feature})

  def value(episode, step):
    return {"image": np.full((16, 32, 3), level(episode, step), np.uint8)}

  return make(root, observation=(observation, value))


@pytest.mark.parametrize(
  "make_fn", [_array_record, _parquet, _sequence, _tensor]
)
def test_forms_of_the_format(read, usual, tmp_path, make_fn):
  stored, _ = read(rlds, make_fn(tmp_path / "set"), tmp_path)
  by_level = [
    sorted(
      (
        clips.read(row).frames.astype(int).mean((1, 2, 3)).round().tolist(),
        bool(clips.success[row]),
      )
      for row in range(3)
    )
    for clips in (stored, usual)
  ]
  assert by_level[0] == by_level[1]


def test_what_is_no_picture_is_told(read, tmp_path):
  depth = tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16)
  floats = tfds.features.Tensor(shape=(4, 4, 3), dtype=np.float32)
  observation = tfds.features.FeaturesDict({"image": floats, "depth": depth})
  value = {
    "image": np.zeros((4, 4, 3), np.float32),
    "depth": np.full((4, 4, 1), 900, np.uint16),
  }
  path = make(tmp_path / "set", observation=(observation, value))
  with pytest.raises(
    ValueError, match=r"n/depth' \(Image, 4 x 4 x 1 of uint16\) is no 8-bit"
  ):
    read(rlds, path, tmp_path, camera="steps/observation/depth")
  with pytest.raises(
    ValueError,
    match=r"no 8-bit color .* has .*n/image' \(Tensor, 4 x 4 x 3 of float32\)",
  ):
    read(rlds, path, tmp_path)


def _lose_a_field(folder):
  file = folder / "features.json"
  content = json.loads(file.read_text())
  steps = content["featuresDict"]["features"]["steps"]["sequence"]["feature"]
  fields = steps["featuresDict"]["features"]
  fields["more"] = fields["reward"]
  file.write_text(json.dumps(content))


def _cut(folder):
  (file,) = folder.glob("*.tfrecord*")
  file.write_bytes(file.read_bytes()[:-9])


def _unfetch(folder):
  (file,) = folder.glob("*.tfrecord*")
  file.write_text("version https://git-lfs.github.com/spec/v1\noid 1")


def _delete(folder):
  (file,) = folder.glob("*.tfrecord*")
  file.unlink()


@pytest.mark.parametrize(
  "spoil, said",
  [
    (_lose_a_field, "set: 'train' cannot be read"),
    (_cut, "set: 'train' cannot be read"),
    (_delete, "set: 'train' cannot be read"),
    (_unfetch, "set/toy-train.tfrecord.*: not fetched: a pointer of Git LFS"),
  ],
)
def test_faults_inside_are_one_line(toy, tmp_path, spoil, said):
  shutil.copytree(toy / "toy" / "1.0.0", tmp_path / "set")
  spoil(tmp_path / "set")
  with pytest.raises(ValueError, match=said) as caught:
    rlds.open_clips(tmp_path / "set", base.Options(num_frames=3))
  message = str(caught.value)
  assert "\n" not in message and "{{" not in message, message


@pytest.mark.parametrize("file", ["features.json", "dataset_info.json"])
@pytest.mark.parametrize("is_text", [False, True])
def test_no_code_is_run(toy, tmp_path, monkeypatch, file, is_text):
  (tmp_path / "other_code.py").write_text("raise SystemExit('it was run')")
  monkeypatch.syspath_prepend(tmp_path)
  shutil.copytree(toy / "toy" / "1.0.0", tmp_path / "set")
  file = tmp_path / "set" / file
  content = json.loads(file.read_text())
  if file.name == "features.json":
    features = content
  else:
    features = content["features"] = json.loads(
      (tmp_path / "set" / "features.json").read_text()
    )
  foreign = {"pythonClassName": "other_code.Image", "tensor": {}}
  if is_text:
    value = {"type": "other_code.Image", "content": {}}
    foreign = {
      "pythonClassName": features["pythonClassName"],
      "jsonFeature": {"json": json.dumps({"x": value})},
    }
  features["featuresDict"]["features"]["x"] = foreign
  file.write_text(json.dumps(content))
  with pytest.raises(
    ValueError, match="names the class 'other_code.Image', wh"
  ):
    rlds.open_clips(tmp_path / "set", base.Options(num_frames=3))
