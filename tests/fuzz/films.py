"""Video files cut, flipped, renamed, of odd kinds; a text or a sound as one.

What is read has to have the grays of the film at evenly spaced times. A flipped
bit may give other pixels, for most formats have no digests; nothing worse.
"""

import functools
import shutil
from collections.abc import Iterator

import av
import numpy as np

from tests.fuzz import commands, harness, things
from tests.fuzz.harness import Case, Tools

DOOR = "videos"
_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".gif", ".mov", ".ts", ".flv")
_T = 4
_ODD = {
  "one frame": dict(grays=[90]),
  "two frames": dict(grays=[30, 90]),
  "three frames": dict(grays=[30, 60, 90]),
  "1 fps": dict(rate=1),
  "240 fps": dict(rate=240),
  "1000 fps": dict(rate=1000),
  "29.97 fps": dict(rate=things.RATE),
  "tiny": dict(size=(2, 2)),
  "narrow": dict(size=(2, 512)),
  "tall": dict(size=(512, 2)),
  "4:4:4": dict(pixels="yuv444p"),
  "10 bits": dict(pixels="yuv420p10le"),
  "gray": dict(pixels="gray"),
  "mpeg4": dict(codec="mpeg4"),
  "mjpeg": dict(codec="mjpeg", pixels="yuvj420p"),
  "vp9": dict(codec="libvpx-vp9"),
  "long": dict(grays=[n % 200 for n in range(600)]),
}


def cases() -> Iterator[Case]:
  """All of them, through the reader and the program that scores."""
  for suffix in _SUFFIXES:
    for share in (0.001, 0.02, 0.1, 0.5, 0.95):
      run = functools.partial(_run_cut, suffix, share)
      yield Case(DOOR, f"{suffix} cut {share}", run)
    for number in range(6):
      run = functools.partial(_run_flipped, suffix, number)
      yield Case(DOOR, f"{suffix} flipped {number}", run)
    for other in (".mp4", ".gif", ".txt", "", ".avi"):
      run = functools.partial(_run_renamed, suffix, other)
      yield Case(DOOR, f"{suffix} named {other}", run)
  for name in _ODD:
    yield Case(DOOR, name, functools.partial(_run_odd, name))
  for name in _NONE:
    for suffix in (".mp4", ".gif", ".webm"):
      run = functools.partial(_run_none, name, suffix)
      yield Case(DOOR, f"{name} as {suffix}", run)
    yield Case(DOOR, f"score {name}", functools.partial(_run_score, name))


def _check(path, wanted, tools) -> str:
  """The grays of evenly spaced frames, or one line that names the file."""
  from data import video

  index = np.round(np.linspace(0, len(wanted) - 1, _T)).astype(int)

  def is_right(frames):
    gray = frames.mean((1, 2, 3))
    near = np.abs(gray - np.array(wanted)[index]) < 8
    # A frame next to it, where two are as near.
    step = np.abs(np.diff([*wanted, wanted[-1]])).max() + 8
    return near.all() or (np.abs(gray - np.array(wanted)[index]) < step).all()

  return tools.either(
    lambda: video.load_video(path, num_frames=_T), is_right, path.name
  )


def _run_cut(suffix, share, tools: Tools) -> str:
  path = tools.things.copy(f"film{suffix}", tools.path)
  harness.cut(path, share)
  if suffix == ".ts":  # Between its packets nothing tells a cut from an end.
    path.write_bytes(path.read_bytes() + b"\x47")
  return _check(path, list(things.GRAYS), tools)


def _run_flipped(suffix, number, tools: Tools) -> str:
  from data import video

  path = tools.things.copy(f"film{suffix}", tools.path)
  harness.flip(path, np.random.default_rng(number), 8)
  return tools.either(
    lambda: video.load_video(path, num_frames=_T),
    lambda frames: len(frames) == _T and frames.dtype == np.uint8,
    path.name,
  )


def _run_renamed(suffix, other, tools: Tools) -> str:
  path = tools.path / f"film{other}"
  shutil.copy(tools.things(f"film{suffix}"), path)
  return _check(path, list(things.GRAYS), tools)


def _run_odd(name, tools: Tools) -> str:
  options = dict(_ODD[name])
  grays = options.setdefault("grays", list(things.GRAYS))
  path = tools.path / "odd.mkv"
  things.write_video(path, **options)
  return _check(path, list(grays), tools)


def _sound(path):
  with av.open(str(path), "w", format="mp4") as container:
    stream = container.add_stream("aac", rate=44100)
    samples = np.zeros((1, 4096), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate = 44100
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _subtitles(path):
  path.write_text("1\n00:00:00,000 --> 00:00:02,000\nClosing it\n\n")


def _twice(path):
  things.write_video(path.with_suffix(".mkv"))
  path.write_bytes(path.with_suffix(".mkv").read_bytes()[100:] * 2)


_NONE = {
  "text": lambda path: path.write_text("no video\n" * 99),
  "empty": lambda path: path.write_bytes(b""),
  "one byte": lambda path: path.write_bytes(b"\0"),
  "zeros": lambda path: path.write_bytes(bytes(10_000)),
  "noise": lambda path: path.write_bytes(
    np.random.default_rng(0).bytes(10_000)
  ),
  "page": lambda path: path.write_text("<html><body>404</body></html>"),
  "zip": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99)),
  "sound": _sound,
  "subtitles": _subtitles,
  "without a head": _twice,
  "folder": lambda path: path.mkdir(),
  "link to itself": lambda path: path.symlink_to(path),
  "list of files": lambda path: path.write_text(
    "ffconcat version 1.0\nfile /etc/hostname\n"
  ),
  "playlist": lambda path: path.write_text(
    "#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
  ),
  "picture list": lambda path: path.write_text("%d.png"),
}


def _run_none(name, suffix, tools: Tools) -> str:
  from data import video

  path = tools.path / f"none{suffix}"
  _NONE[name](path)
  return tools.refused(lambda: video.load_video(path, num_frames=_T), path.name)


def _run_score(name, tools: Tools) -> str:
  path = tools.path / "none.mp4"
  _NONE[name](path)
  return tools.command(
    "score",
    f"--run={commands.fill('{run}', tools)}",
    f"--video={path}",
    "--instruction=closing drawer",
    names=["none.mp4"],
  )
