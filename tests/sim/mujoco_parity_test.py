"""The ray caster against MuJoCo's own renderer, in every environment."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim import c_engine, drawing, geometry, physics, render, variants

_SIZE = 64
_PICTURES = ("image", "depth", "segment")
# Runs apart: the graphics library is chosen before mujoco is imported.
_REFERENCE = """
import sys
import mujoco
import numpy as np
from a2r.sim import variants
states, out, size = sys.argv[1:]
pictures = {}
for name, states in np.load(states).items():
  model = variants.make_model(variants.get(name))
  data = mujoco.MjData(model)
  with mujoco.Renderer(model, int(size), int(size)) as renderer:
    for index, qpos in enumerate(states):
      data.qpos[:] = qpos
      mujoco.mj_forward(model, data)
      renderer.update_scene(data, camera='camera')
      pictures[f'{name} image {index}'] = renderer.render().copy()
      renderer.enable_depth_rendering()
      pictures[f'{name} depth {index}'] = renderer.render().copy()
      renderer.disable_depth_rendering()
      renderer.enable_segmentation_rendering()
      pictures[f'{name} segment {index}'] = renderer.render()[..., 0].copy()
      renderer.disable_segmentation_rendering()
np.savez(out, **pictures)
"""


def _states(name):
  """Joint positions `[3, nq]`: the start and two states of a lively hand."""
  actions = np.random.default_rng(0).uniform(-1, 1, (2, 20, 5))
  qpos = physics.rollout(physics.load(name), actions, physics="c").qpos
  return np.concatenate([qpos[:1, 0], qpos[:, -1]])


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
  """(name, picture, state index) -> MuJoCo's picture."""
  folder = tmp_path_factory.mktemp("reference")
  states, out = folder / "states.npz", folder / "out.npz"
  np.savez(states, **{name: _states(name) for name in variants.ENVIRONMENTS})
  command = [sys.executable, "-c", _REFERENCE, states, out, _SIZE]
  environ = os.environ | {
    "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl"),
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
  }
  done = subprocess.run(
    list(map(str, command)), env=environ, capture_output=True, text=True
  )
  if not out.exists():
    lines = done.stderr.strip().splitlines() or ["no message"]
    pytest.skip(f"mujoco.Renderer has no graphics library here: {lines[-1]}")
  return dict(np.load(out))


def _ours(name, qpos):
  """Our image, depth and segment of the same states, unflipped."""
  model = physics.load(name)
  look = drawing.Look(model.variant, model.mj)
  position, rotation = c_engine.geom_poses(model.mj, qpos, look.geom_ids)
  looks = tuple(map(jnp.asarray, (look.size, look.rgb, look.pattern)))
  pictures = _draw(
    look.types, position, rotation, looks, look.camera, look.light
  )
  segment = np.append(look.geom_ids, -1)[np.asarray(pictures.segment)]
  return np.asarray(pictures.image), np.asarray(pictures.depth), segment


def _draw_states(types, position, rotation, looks, camera, light):
  def draw(position, rotation):
    geoms = geometry.Geoms(position, rotation, *looks)
    return render.render(types, geoms, camera, light, height=_SIZE, width=_SIZE)

  return jax.vmap(draw)(position, rotation)


_draw = jax.jit(_draw_states, static_argnums=0)


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_depth_and_segments_agree(name, reference):
  qpos = _states(name)
  theirs = [
    np.stack([reference[f"{name} {kind} {i}"] for i in range(len(qpos))])
    for kind in _PICTURES
  ]
  image, depth, segment = _ours(name, qpos)
  both = (segment >= 0) & (theirs[2] >= 0)
  error = np.abs(depth - theirs[1])[both]
  shared = np.sum((segment == theirs[2]) & both)
  union = np.sum(segment >= 0) + np.sum(theirs[2] >= 0) - shared
  color = np.abs(image - theirs[0].astype(float))[both].mean()
  print(
    f"{name}: depth median {np.median(error):.1e} m, p99"
    f" {np.percentile(error, 99):.1e} m, IoU {shared / union:.4f}, color"
    f" {color:.1f}/255"
  )
  assert np.median(error) < 1e-3
  assert shared / union > 0.97
  assert color < 30
