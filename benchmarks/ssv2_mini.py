"""Makes a small stand-in for Something-Something V2, laid out as the real one.

  python -m benchmarks.ssv2_mini --out=/tmp/ssv2_mini [--per_template=6]

VP9 in webm, 12 frames per second, of a textured block that moves, grows,
shrinks or turns before a textured wall, as its template says; annotations as
Qualcomm has them. Nobody is in these videos: they show that the data path
works.
"""

import argparse
import json
import pathlib
from collections.abc import Iterator, Sequence

import av
import numpy as np

RATE = 12  # Frames per second, as the real ones.
# Bracketed template, and how the block moves: (right, down, growth, turn).
MOTIONS = {
  "Closing [something]": (0.0, -0.4, 0.0, 0.0),
  "Moving [something] away from the camera": (0.0, 0.0, -0.6, 0.0),
  "Moving [part] of [something]": (0.0, 0.0, 0.0, 1.0),
  "Pushing [something] from left to right": (0.8, 0.0, 0.0, 0.0),
  "Opening [something]": (0.0, 0.4, 0.0, 0.0),
  "Moving [something] towards the camera": (0.0, 0.0, 0.6, 0.0),
  "Pushing [something] from right to left": (-0.8, 0.0, 0.0, 0.0),
  "Poking [something] so lightly that it doesn't or almost doesn't move": (
    (0.05, 0.0, 0.0, 0.0)
  ),
}
_NOUNS = ("cup", "box", "Vicks VapoRub bottle", "drawer", "toy car", "faucet")
_SIZES = ((64, 96), (64, 96), (64, 96), (96, 64), (72, 72))
_NUM_FRAMES = (12, 31)


def make(
  folder,
  *,
  per_template: int = 6,
  templates: Sequence[str] = tuple(MOTIONS),
  sizes: Sequence[tuple[int, int]] = _SIZES,
  first_layout: bool = False,
  num_bad: int = 3,
) -> list[str]:
  """Writes videos and annotations; returns the numbers of the bad videos.

  Args:
    folder: made if missing.
    per_template: training videos of each template.
    templates: bracketed, of `MOTIONS`.
    sizes: (height, width) in turn.
    first_layout: the files as the first release had them, not in `labels`.
    num_bad: training videos that are spoiled: one cut short, one of zero bytes,
      one missing, in turn.
  """
  folder = pathlib.Path(folder)
  videos = folder / "20bn-something-something-v2"
  videos.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(0)
  counts = {"train": per_template, "validation": max(1, per_template // 3)}
  number, splits = 1000, {}
  for split, count in (counts | {"test": 1}).items():
    splits[split] = []
    for index in range(count * len(templates)):
      template = templates[index % len(templates)]
      number += int(rng.integers(1, 50))
      size = sizes[index // len(templates) % len(sizes)]
      pictures = draw(rng, MOTIONS[template], rng.integers(*_NUM_FRAMES), size)
      write_webm(videos / f"{number}.webm", pictures)
      splits[split].append(_entry(rng, number, template))
  _write_annotations(folder, splits, templates, first_layout)
  order = rng.permutation(len(splits["train"]))[:num_bad]
  bad = [splits["train"][row]["id"] for row in order]
  for index, name in enumerate(bad):
    _spoil(videos / f"{name}.webm", index % 3)
  return bad


def plain_templates() -> list[str]:
  """The templates of `MOTIONS` as labels.json has them."""
  return [t.replace("[", "").replace("]", "") for t in MOTIONS]


def draw(
  rng: np.random.Generator,
  motion: Sequence[float],
  num_frames: int,
  size: tuple[int, int],
) -> Iterator[np.ndarray]:
  """Yields `[H, W, 3]` uint8 pictures of a block that moves.

  Args:
    rng: consumed.
    motion: of the block from first to last: right and down in parts of the
      picture, growth, quarter turns.
    num_frames: how many.
    size: (height, width).
  """
  height, width = size
  wall, block = _texture(rng, 8), _texture(rng, 5)
  y, x = np.mgrid[:height, :width] / min(size)
  center = np.array([height, width]) / min(size) / 2
  right, down, growth, turn = motion
  for time in np.linspace(-0.5, 0.5, num_frames):
    middle = center + time * np.array([down, right]) * center * 2
    scale = 0.45 * (1 + growth * time)
    cos, sin = np.cos(turn * time * np.pi / 2), np.sin(turn * time * np.pi / 2)
    dy, dx = (y - middle[0]) / scale, (x - middle[1]) / scale
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    inside = np.maximum(np.abs(u), np.abs(v)) < 0.5
    picture = np.where(
      inside[..., None],
      _look_up(block, u + 0.5, v + 0.5),
      _look_up(wall, x / 2, y / 2),
    )
    picture += rng.normal(0, 3, picture.shape)
    yield picture.clip(0, 255).astype(np.uint8)


def write_webm(path, pictures, *, bit_rate: int = 200_000):
  """Writes `[H, W, 3]` uint8 pictures as VP9."""
  with av.open(str(path), "w") as container:
    stream = None
    for picture in pictures:
      if stream is None:
        stream = container.add_stream("libvpx-vp9", rate=RATE)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", bit_rate
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
      frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _texture(rng, cells):
  """`[N, N, 3]` patches of color."""
  return rng.integers(20, 236, (cells, cells, 3)).astype(float)


def _look_up(texture, u, v):
  """Colors at places in [0, 1), repeated outside."""
  cells = len(texture)
  row, column = (np.floor(w * cells).astype(int) % cells for w in (v, u))
  return texture[row, column]


def _entry(rng, number, template):
  """One line of the annotations, with its objects in their places."""
  words, nouns = template, []
  while "[" in words:
    nouns.append(str(rng.choice(_NOUNS)))
    begin, end = words.index("["), words.index("]") + 1
    words = words[:begin] + nouns[-1] + words[end:]
  return {
    "id": str(number),
    "label": words.lower(),
    "template": template,
    "placeholders": nouns,
  }


def _write_annotations(folder, splits, templates, first_layout):
  place = folder if first_layout else folder / "labels"
  prefix = "something-something-v2-" if first_layout else ""
  place.mkdir(exist_ok=True)
  plain = {t: t.replace("[", "").replace("]", "") for t in templates}
  labels = {t: str(i) for i, t in enumerate(sorted(plain.values()))}
  answers = [(e["id"], plain[e["template"]]) for e in splits["test"]]
  files = dict(splits) | {"test": [{"id": e["id"]} for e in splits["test"]]}
  for name, value in (files | {"labels": labels}).items():
    (place / f"{prefix}{name}.json").write_text(json.dumps(value))
  if not first_layout:
    lines = "".join(f"{name};{template}\n" for name, template in answers)
    (place / "test-answers.csv").write_text(lines)


def _spoil(path: pathlib.Path, kind: int):
  """Cuts a video short, empties it or takes it away."""
  if kind == 0:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
  elif kind == 1:
    path.write_bytes(b"")
  else:
    path.unlink()


def main():
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", default="/tmp/ssv2_mini", help="where to")
  parser.add_argument(
    "--per_template",
    type=int,
    default=6,
    help="training videos of each template, and a third as many for validation",
  )
  arguments = parser.parse_args()
  bad = make(arguments.out, per_template=arguments.per_template)
  print(f"Wrote {arguments.out}; bad videos: {', '.join(bad)}.")


if __name__ == "__main__":
  main()
