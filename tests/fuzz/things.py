"""Valid things that cases change: made once, when first asked for."""

import fractions
import functools
import json
import pathlib
import shutil

import av
import imageio
import numpy as np

from a2r import reward
from a2r.core import digests, text
from a2r.models.convert import files
from a2r.runs import conversion, run_folder, train
from benchmarks import ssv2_mini
from tests import fixtures, tiny
from tests.data.readers import lerobot_test, rlds_test
from tests.fuzz import sets

ROOT = pathlib.Path(__file__).parents[2]
GRAYS = range(0, 180, 20)
RATE = fractions.Fraction(30000, 1001)


class Things:
  """Function of a name to a path; `copy` gives one that may be changed."""

  def __init__(self, factory):
    self._root = factory.mktemp("things")
    self._made = {}

  def __call__(self, name: str) -> pathlib.Path:
    if name not in self._made:
      path = self._root / name
      globals()[f"_make_{name.partition('.')[0]}"](path, self)
      self._made[name] = path
    return self._made[name]

  def copy(self, name: str, folder: pathlib.Path) -> pathlib.Path:
    """Copies a thing into a folder; returns the copy's path."""
    source = self(name)
    copy = shutil.copytree if source.is_dir() else shutil.copy
    copy(source, folder / source.name)
    return folder / source.name

  def own_config(self):
    """Settings of a run on clips that are stored."""
    root = self._root / "clips"
    fixtures.write_clips(root)
    return fixtures.make_config(root)

  def kept(self, key, make_fn):
    """What `make_fn` returned at the first call with a key."""
    if key not in self._made:
      self._made[key] = make_fn()
    return self._made[key]

  @functools.cached_property
  def clips(self) -> np.ndarray:
    """Two clips of noise."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2, 4, 16, 16, 3)).astype(np.uint8)


def write_video(
  path, grays=GRAYS, codec="libx264", rate=8, size=(48, 64), pixels="yuv420p"
):
  """A film of gray pictures."""
  with av.open(str(path), "w") as container:
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = size
    stream.pix_fmt = pixels
    for gray in grays:
      picture = np.full((*size, 3), gray, np.uint8)
      frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _make_run(path, _):
  tiny.make_run(path)
  names = ("config.json", "reward.json", "tokenizer.json")
  known = {name: [digests.crc32(path / name)] for name in names}
  (path / digests.FILE).write_text(digests.to_json(known))


def _make_trained(path, things):
  path.mkdir()
  config = things.kept("own", things.own_config)
  run_folder.store_config(path, config.to_dict())
  train.run(config, path)


def _make_export(path, things):
  reward.load(things("run")).save(path)


def _make_film(path, _):
  kinds = {
    ".gif": {"codec": "gif", "pixels": "rgb8"},
    ".webm": {"codec": "libvpx-vp9"},
    ".avi": {"codec": "mpeg4"},
    ".flv": {"codec": "flv"},
  }
  write_video(path, **kinds.get(path.suffix, {}))


def _make_text(path, _):
  path.write_text("this is no video\n" * 20)


def _make_ssv2(path, _):
  ssv2_mini.make(
    path,
    per_template=2,
    templates=tuple(ssv2_mini.MOTIONS)[2:5],
    sizes=((32, 48),),
    num_bad=0,
  )


def _make_vocab(path, _):
  letters = [chr(ord("a") + i) for i in range(26)]
  words = [*text.SPECIAL, *letters, *("##" + letter for letter in letters)]
  words += [f"word{i}" for i in range(101 - len(words))]
  path.write_text("\n".join(words) + "\n", encoding="utf-8")


def _make_folder(path, things):
  options = files.Options(vocab=things("vocab"))
  golden = ROOT / "tests/golden/singularity_tiny.pth"
  source = conversion.read(golden, options)
  conversion.write(source, path, options, "the command")


def _make_gifs(path, _):
  path.mkdir()
  for name, grays in sets.GRAYS.items():
    pictures = [np.full((16, 24, 3), gray, np.uint8) for gray in grays]
    imageio.mimwrite(path / f"{name}.gif", pictures, duration=100)


def _make_lerobot(path, _):
  lerobot_test.make_v3(path)


def _make_lerobot2(path, _):
  """The same of version 2."""
  t = lerobot_test
  data = "data/chunk-{episode_chunk:03d}/{episode_index:06d}.parquet"
  film = "videos/{video_key}/chunk-{episode_chunk:03d}/{episode_index:06d}.mp4"
  t.write_info(path, "v2.1", data, film)
  lines = []
  for episode, length in enumerate(t.LENGTHS):
    row = {"episode_index": episode, "tasks": ["close"], "length": length}
    lines.append(json.dumps(row))
    t.write_table(
      path / f"data/chunk-000/{episode:06d}.parquet",
      t.frame_columns([episode]),
    )
    levels = [t.level(episode, frame) for frame in range(length)]
    t.write_video(
      path / f"videos/{t.CAMERA}/chunk-000/{episode:06d}.mp4", levels
    )
  (path / "meta/episodes.jsonl").write_text("\n".join(lines))


def _make_rlds(path, _):
  rlds_test.make(path)
