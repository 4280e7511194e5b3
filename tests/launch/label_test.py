"""Rewards of a LeRobot data set's frames, as LeRobot reads them."""

import json

import av
import numpy as np
import pyarrow.parquet
import pytest

from a2r import reward
from a2r.evaluation import over_time
from data.readers import lerobot
from tests import tiny
from tests.data.readers import lerobot_sets as sets

NUM = sum(sets.LENGTHS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  tiny.make_run(folder)
  return folder


@pytest.fixture
def dataset(tmp_path):
  return sets.make_v3(tmp_path / "set")


def test_a_row_for_every_frame(launch, run, dataset, tmp_path):
  video = tmp_path / "first.mp4"
  done = launch(
    "label", f"--run={run}", f"--dataset={dataset}", "--num_frames=4",
    f"--overlay={video}",
  )  # fmt: skip
  assert done.code == 0
  assert f"({NUM} frames of 4 episodes)" in done.out
  table = pyarrow.parquet.read_table(dataset / "a2r_progress.parquet")
  types = {
    name: str(table.schema.field(name).type) for name in table.schema.names
  }
  assert types == {
    "index": "int64",
    "episode_index": "int64",
    "frame_index": "int64",
    "progress_sparse": "float",
  }
  assert table.schema.metadata == {b"reward_model_path": str(run).encode()}
  columns = {name: table[name].to_numpy() for name in table.schema.names}
  assert columns["index"].tolist() == list(range(NUM))
  episodes = np.repeat(np.arange(4), sets.LENGTHS)
  np.testing.assert_array_equal(columns["episode_index"], episodes)
  frames = np.concatenate([np.arange(num) for num in sets.LENGTHS])
  np.testing.assert_array_equal(columns["frame_index"], frames)
  progress = columns["progress_sparse"]
  assert ((progress >= 0) & (progress <= 1)).all()
  # Of six frames the first, third or so, and last are looked at.
  films, _ = lerobot.open_films(dataset, num_frames=4)
  model, film = reward.load(run), films[0]
  asked = model.score(over_time.prefixes(film.load()), "close the drawer")
  np.testing.assert_allclose(progress[film.taken], asked, rtol=1e-5)
  assert film.taken[0] == 0 and film.taken[-1] == 5 and len(film.taken) == 4
  with av.open(str(video)) as container:
    assert len(list(container.decode(video=0))) == 4


def test_the_data_set_s_own_numbers_are_kept(launch, run, dataset, tmp_path):
  for file in (0, 1):
    path = dataset / f"data/chunk-000/file-00{file}.parquet"
    rows = len(pyarrow.parquet.read_table(path))
    sets.change(
      dataset,
      f"data/*/file-00{file}.parquet",
      index=list(range(100 * file, 100 * file + rows)),
      frame_index=list(range(rows)),
    )
  out = tmp_path / "mine.parquet"
  words = "--instruction=opening box", f"--out={out}"
  assert (
    launch("label", f"--run={run}", f"--dataset={dataset}", *words).code == 0
  )
  table = pyarrow.parquet.read_table(out)
  assert table["index"].to_pylist() == [*range(15), *range(100, 107)]
  assert table["frame_index"].to_pylist() == [*range(15), *range(7)]


def test_it_is_told_where_nothing_rises(launch, run, dataset):
  # The films of gray pictures mean nothing to a model that learned nothing.
  done = launch("label", f"--run={run}", f"--dataset={dataset}")
  assert "of 4 episodes it does not rise" in done.out


def test_a_set_that_is_not_whole_is_one_line(launch, run, dataset):
  info = dataset / "meta/info.json"
  stored = json.loads(info.read_text())
  info.write_text(json.dumps(stored | {"total_frames": NUM + 1}))
  command = "label", f"--run={run}", f"--dataset={dataset}"
  done = launch(*command)
  assert done.code == 2 and f"counts {NUM + 1} frames" in done.err
  info.write_text(json.dumps(stored | {"total_frames": NUM}))
  assert launch(*command).code == 0
  (dataset / "data/chunk-000/file-001.parquet").unlink()
  done = launch(*command)
  (line,) = done.err.splitlines()
  assert done.code == 2 and "1 of 4 episodes cannot be read" in line
