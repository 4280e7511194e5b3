"""The pictures of Concept2Robot's table against MuJoCo's own renderer."""

import functools

import mujoco
import numpy as np
import pytest

from a2r.sim.concept import drawing, margins, physics, policies, tasks, views
from a2r.sim.concept import scene as scene_lib
from tests.sim import mujoco_pictures

_SIZE = drawing.HEIGHT, drawing.WIDTH
_STEPS = (0, 16, 32, 49)
# Scenes of all kinds; the first two from the other side as well.
_TASKS = (5, 10, 14, 24, 45, 53, 58, 118, 148, 173)
_CASES = [(number, "first") for number in _TASKS]
_CASES += [(number, "third") for number in _TASKS[:2]]


def _model(number, view):
  """The task's model with what a renderer needs: camera, lights, colors."""
  spec = scene_lib.make_spec(tasks.ALL_TASKS[number].scene)
  camera = views.make_camera(view)
  quat = np.zeros(4)
  mujoco.mju_mat2Quat(quat, np.float64(camera.rotation).ravel())
  spec.worldbody.add_camera(
    name="camera", pos=camera.position, quat=quat, fovy=float(camera.fovy)
  )
  light = drawing.LIGHT
  spec.visual.headlight.ambient = [light.ambient] * 3
  spec.visual.headlight.diffuse = [light.headlight] * 3
  spec.visual.headlight.specular = [0] * 3
  spec.worldbody.add_light(
    type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
    pos=(-0.7, -0.5, 2.3),
    dir=light.direction,
    ambient=[0] * 3,
    diffuse=[light.diffuse] * 3,
    specular=[0] * 3,
    castshadow=True,
  )
  for name, rgb in zip(drawing.STILL, drawing.STILL_RGB, strict=True):
    spec.geom(name).rgba = (*rgb, 1)
  return spec.compile()


@functools.cache
def _play(number):
  """Random motions of one start: `Record`, and the fields of its states."""
  scene = tasks.ALL_TASKS[number].scene
  start = policies.sample_start(scene, [[7, number]])
  actions = 0.5 * policies.random_actions([np.random.default_rng(number)])
  record = margins.Record(scene, physics.play(scene, start, actions))
  fixed = [
    (scene.model.body(name).mocapid[0], row)
    for row, (name, thing) in enumerate(scene.things.items())
    if thing.fixed
  ]
  rows = [row for _, row in sorted(fixed)]
  places = {
    "mocap_pos": np.asarray(start.positions)[0, rows],
    "mocap_quat": np.asarray(start.quats)[0, rows],
  }
  states = [places | {"qpos": record.episode.qpos[0, step]} for step in _STEPS]
  return record, states


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
  """Records by task, and 'task view kind' -> MuJoCo's pictures."""
  played = {number: _play(number) for number in _TASKS}
  names = {f"{number} {view}": (number, view) for number, view in _CASES}
  pictures = mujoco_pictures.draw(
    tmp_path_factory.mktemp("reference"),
    {name: _model(*case) for name, case in names.items()},
    {name: played[number][1] for name, (number, _) in names.items()},
    _SIZE,
  )
  return {number: record for number, (record, _) in played.items()}, pictures


@pytest.mark.parametrize("number, view", _CASES)
def test_depth_segments_and_colors_agree(number, view, reference):
  records, pictures = reference
  record = records[number]
  traced = drawing.trace(
    record.scene,
    record.geom_position[0, list(_STEPS)],
    record.geom_rotation[0, list(_STEPS)],
    view=view,
  )
  shape = (len(_STEPS), *_SIZE)
  depth, segment = (
    np.asarray(x).reshape(shape) for x in (traced.depth, traced.segment)
  )
  image = 255 * np.moveaxis(np.asarray(traced.color), 0, -1)
  theirs = [pictures[f"{number} {view} {k}"] for k in mujoco_pictures.KINDS]
  # By bodies: where walls of one overlap either may be seen.
  bodies = np.append(record.scene.model.geom_bodyid, -1)
  bodies[record.scene.model.geom("floor/plane").id] = len(bodies)
  mine, other = bodies[segment], bodies[theirs[2]]
  both = (mine >= 0) & (other >= 0)
  error = np.abs(depth - theirs[1])[both]
  shared = np.sum((mine == other) & both)
  union = np.sum(mine >= 0) + np.sum(other >= 0) - shared
  color = np.abs(image.reshape(*shape, 3) - theirs[0].astype(float))[both]

  assert np.median(error) < 1e-3
  assert shared / union > 0.97
  assert color.mean() < 10


def test_what_is_drawn_depends_on_no_other_picture():
  record, _ = _play(53)
  poses = record.geom_position[0], record.geom_rotation[0]
  many = drawing.draw(record.scene, *poses)
  for step in (0, 25, 49):
    one = drawing.draw(record.scene, *(x[step : step + 1] for x in poses))
    np.testing.assert_array_equal(one[0], many[step])
