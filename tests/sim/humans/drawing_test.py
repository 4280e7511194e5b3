"""Human clips against the renderer that draws every part in every frame."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.humans import human_clips, props, scenes, shading
from a2r.sim.rendering import render

SIZE, FRAMES, CLIPS = 48, 2, 12


@functools.partial(jax.jit, static_argnames="size")
def _slowly(rng, label, *, size):
  """Frames of a clip, each drawn from all parts."""
  row = scenes.row_of(label)
  world = scenes.sample_world(rng, row)

  def frame(time):
    still, moving, _ = human_clips._parts(row, world, time)
    return render.render(
      *props.assemble(still + moving),
      world["camera"],
      world["light"],
      height=size,
      width=size,
    ).image

  return jax.lax.map(frame, jnp.linspace(0.0, 1.0, FRAMES))


@pytest.mark.slow
def test_pictures_are_those_of_the_renderer():
  labels = np.linspace(0, len(human_clips.TEMPLATES) - 1, CLIPS).astype(
    np.int32
  )
  keys = jax.random.split(jax.random.key(1), CLIPS)
  clips = human_clips.sample_clips(
    keys, labels, num_frames=FRAMES, image_size=SIZE
  )
  expected = [
    _slowly(key, label, size=SIZE)
    for key, label in zip(keys, labels, strict=True)
  ]
  gap = np.int32(clips.frames) - np.stack(expected)
  assert (np.abs(gap).max(axis=-1) > 8).mean() < 0.01


@pytest.mark.slow
def test_the_subject_shifts_as_its_template_says():
  names = ("Pushing something from left to right", "Moving something up")
  labels = np.array([human_clips.TEMPLATES.index(name) for name in names])
  clips = human_clips.sample_clips(
    jax.random.key(2), np.repeat(labels, 6), num_frames=2, image_size=8
  )
  assert (np.abs(clips.start) < 1.5).all()
  assert (clips.shift[:6, 0] > 0).all() and (clips.shift[6:, 1] > 0).all()


def test_pairs_and_colors_survive_packing():
  pair = shading.unpack_pair(shading.pack_pair(0.25, 1.5))
  np.testing.assert_allclose([float(x) for x in pair], [0.25, 1.5], atol=1e-4)
  packed = int(shading.pack_color(jnp.array([1.0, 0.0, 0.5])))
  assert [packed >> shift & 1023 for shift in (0, 10, 20)] == [1023, 0, 512]
