"""The ray caster against MuJoCo's own renderer, in every environment."""

import jax
import numpy as np
import pytest

from a2r.sim.tabletop import drawing, physics, variants
from a2r.sim.tabletop.engines import c_engine
from tests.sim import mujoco_pictures

# Pixels and states per environment.
_CASES = [(64, 4)]
_CASES += [
  pytest.param((size, 20), marks=pytest.mark.slow) for size in (64, 112, 224)
]


def _states(name, num_states):
  """Joint positions `[N, nq]`: the start and others of a lively hand."""
  rng = np.random.default_rng(0)
  actions = rng.uniform(-1, 1, (num_states - 1, 20, physics.ACTION_SIZE))
  qpos = physics.rollout(physics.load(name), actions, physics="c").qpos
  return np.concatenate([qpos[:1, 0], qpos[:, -1]])


@pytest.fixture(scope="module", params=_CASES)
def case(tmp_path_factory, request):
  """Pixels, number of states, and 'name kind' -> MuJoCo's pictures."""
  size, num_states = request.param
  states = {
    name: [{"qpos": qpos} for qpos in _states(name, num_states)]
    for name in variants.ENVIRONMENTS
  }
  models = {
    name: variants.make_model(variants.get(name))
    for name in variants.ENVIRONMENTS
  }
  folder = tmp_path_factory.mktemp("reference")
  pictures = mujoco_pictures.draw(folder, models, states, (size, size))
  return size, num_states, pictures


def _ours(name, qpos, size):
  """Our image, depth and segment of the same states, unflipped."""
  model = physics.load(name)
  scenery = drawing.make_scenery(model, size)
  poses = c_engine.geom_poses(model.mj, qpos, drawing.visible_geoms().moving)
  traced = jax.jit(drawing.trace)(scenery, *poses)
  image = np.round(np.moveaxis(traced.color, 0, -1) * 255).astype(np.uint8)
  shape = (len(qpos), size, size)
  depth, segment = (
    np.asarray(x).reshape(shape) for x in (traced.depth, traced.segment)
  )
  return image.reshape(*shape, 3), depth, segment


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_depth_segments_and_colors_agree(name, case):
  size, num_states, reference = case
  qpos = _states(name, num_states)
  theirs = [reference[f"{name} {kind}"] for kind in mujoco_pictures.KINDS]
  image, depth, segment = _ours(name, qpos, size)
  both = (segment >= 0) & (theirs[2] >= 0)
  error = np.abs(depth - theirs[1])[both]
  shared = np.sum((segment == theirs[2]) & both)
  union = np.sum(segment >= 0) + np.sum(theirs[2] >= 0) - shared
  color = np.abs(image - theirs[0].astype(float))[both].mean()
  assert np.median(error) < 1e-4
  assert shared / union > 0.97
  assert color < 10
