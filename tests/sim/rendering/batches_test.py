"""Batches of scenes against the ray caster that draws one whole picture."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.humans import human_clips, props, scenes
from a2r.sim.rendering import batches, raycast

SIZE, FRAMES, CLIPS = 48, 2, 12


@functools.partial(jax.jit, static_argnames="size")
def _slowly(rng, label, *, size):
  """Colors of a clip's frames, each drawn from all parts."""
  row = scenes.row_of(label)
  scene = scenes.sample_scene(rng, row)

  def frame(time):
    still, moving, _ = human_clips._parts(row, scene, time)
    layer = props.assemble(still + moving)
    return raycast.make_backdrop(
      layer.types,
      layer.geoms,
      scene.camera,
      scene.light,
      height=size,
      width=size,
    ).traced.color

  return jax.lax.map(frame, jnp.linspace(0.0, 1.0, FRAMES))


@pytest.mark.slow
def test_human_clips_are_what_the_ray_caster_draws():
  labels = np.linspace(0, len(human_clips.TEMPLATES) - 1, CLIPS).astype(
    np.int32
  )
  keys = jax.random.split(jax.random.key(1), CLIPS)
  clips = human_clips.sample_clips(
    keys, labels, num_frames=FRAMES, image_size=SIZE
  )
  expected = np.stack(
    [
      _slowly(key, label, size=SIZE)
      for key, label in zip(keys, labels, strict=True)
    ]
  )
  expected = np.moveaxis(255 * expected, 2, -1).reshape(clips.frames.shape)
  gap = np.abs(np.float32(clips.frames) - expected).max(axis=-1)
  assert (gap > 8).mean() < 0.01


def test_pairs_and_colors_survive_packing():
  pair = batches.unpack_pair(batches.pack_pair(0.25, 1.5))
  np.testing.assert_allclose([float(x) for x in pair], [0.25, 1.5], atol=1e-4)
  packed = int(batches.pack_color(jnp.array([1.0, 0.0, 0.5])))
  assert [packed >> shift & 1023 for shift in (0, 10, 20)] == [1023, 0, 512]
