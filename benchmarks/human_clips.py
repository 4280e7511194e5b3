"""How long the procedural human clips take, and how well they are read.

  python -m benchmarks.human_clips [--frames=4,8] [--clips=48] [--calls=10]
  python -m benchmarks.human_clips --backbone=shipped [--per_template=20]

Seconds per call of `sample_clips`, scenes and pictures, for each number of
frames, of the templates that stage 1 trains on and of the acts; the median of
some calls, and the first one, compilation included. Run it under `taskset -c 0`
for one core. With --backbone (shipped, or a file), what it makes of held-out
clips of all templates instead, --per_template of each. Prints a table and
writes benchmarks/results/human_clips-<backend>.json or
benchmarks/results/human_clips_read-<backend>.json.
"""

import pathlib
import time

import jax
import numpy as np
from absl import app, flags

from a2r.learners import pretrain_eval
from a2r.models import pretrained
from a2r.models.singularity import singularity
from a2r.sim.humans import act_clips, acts, human_clips, people
from benchmarks import results
from configs import backbones

_FRAMES = flags.DEFINE_list("frames", ["4", "8"], "Frames per clip.")
_CLIPS = flags.DEFINE_integer("clips", 48, "Clips per call.")
_SIZE = flags.DEFINE_integer("size", 64, "Pixels of a side of the picture.")
_CALLS = flags.DEFINE_integer("calls", 10, "Calls per row.")
_BACKBONE = flags.DEFINE_string(
  "backbone", None, "'shipped', or a file of weights: reads clips with it."
)
_PER_TEMPLATE = flags.DEFINE_integer(
  "per_template", 20, "Clips of each template that the backbone reads."
)


def _seconds(sample_clips, num_templates, num_frames):
  """Seconds of the first call and of each later one."""
  labels = np.arange(_CLIPS.value, dtype=np.int32) % num_templates
  seconds = []
  for call in range(_CALLS.value + 1):
    start = time.perf_counter()
    clips = sample_clips(
      jax.random.key(call),
      labels,
      num_frames=num_frames,
      image_size=_SIZE.value,
    )
    jax.block_until_ready(clips)
    seconds.append(time.perf_counter() - start)
  return seconds[0], seconds[1:]


def _measure_speed():
  rows = []
  programs = {
    "templates": (human_clips.sample_clips, len(human_clips.TEMPLATES)),
    "acts": (act_clips.sample_clips, len(acts.TEMPLATES)),
  }
  for name, program in programs.items():
    for num_frames in map(int, _FRAMES.value):
      first, later = _seconds(*program, num_frames)
      median = float(np.median(later))
      rate = _CLIPS.value * num_frames / median
      print(
        f"{_CLIPS.value} clips of {name}, {num_frames} frames: {median:.3f} s a"
        f" call, {rate:,.0f} frames/s (the first call: {first:.1f} s)"
      )
      rows.append(
        {
          "program": name,
          "frames": num_frames,
          "first_call_s": first,
          "call_s": median,
          "least_s": min(later),
          "frames_per_s": rate,
        }
      )
  results.write("human_clips", rows, clips=_CLIPS.value, size=_SIZE.value)


def _read_clips():
  path = pathlib.Path(_BACKBONE.value)
  shipped = _BACKBONE.value == "shipped"
  source = pretrained.read(pretrained.shipped() if shipped else path)
  config = source.config or singularity.Config(**backbones.small())
  metrics, found = pretrain_eval.measure_people(
    singularity.Singularity(config),
    source.tokenizer,
    source.params,
    clips_per_template=_PER_TEMPLATE.value,
  )
  for name, share in metrics.items():
    print(f"{name:>20} {100 * share:6.1f} %")
  rows = [{name: round(share, 4) for name, share in metrics.items()}]
  rows += [
    {"template": text, "top1": round(float(share), 4)}
    for text, share in zip(people.TEMPLATES, found, strict=True)
  ]
  results.write(
    "human_clips_read", rows, clips_per_template=_PER_TEMPLATE.value
  )


def main(_):
  if _BACKBONE.value:
    _read_clips()
  else:
    _measure_speed()


if __name__ == "__main__":
  app.run(main)
