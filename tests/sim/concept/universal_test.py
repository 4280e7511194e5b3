"""The model that every scene fits is, for each scene, that scene."""

import dataclasses

import mujoco
import numpy as np
import pytest
from mujoco import rollout

from a2r.core import batching
from a2r.sim.concept import physics, policies, tasks, universal
from a2r.sim.concept import scene as scene_lib

# What a program for a model is made for.
STRUCTURE = (
  "body_parentid",
  "body_mocapid",
  "jnt_type",
  "jnt_bodyid",
  "jnt_limited",
  "geom_type",
  "geom_bodyid",
  "geom_contype",
  "geom_conaffinity",
  "geom_condim",
  "geom_priority",
)


@pytest.mark.parametrize("number", tasks.ALL_TASKS)
def test_a_scene_fits(number):
  scene = tasks.ALL_TASKS[number].scene
  fit, own = universal.make(scene), scene.model
  like = universal.make(tasks.ALL_TASKS[45].scene).model
  for name in STRUCTURE:
    ours, theirs = getattr(fit.model, name), getattr(like, name)
    np.testing.assert_array_equal(ours, theirs, err_msg=name)
  assert (fit.model.dof_frictionloss > 0).sum() == 2  # Else MJX drops a row.
  assert set(range(own.ngeom)) <= set(fit.geoms)
  start = policies.sample_start(scene, [[1, number]])
  qpos = scene_lib.initial_qpos(scene, start)
  packed = universal.pack(fit, qpos)
  np.testing.assert_array_equal(packed[:, fit.qpos], qpos)
  ours = _pose(fit.model, packed[0], universal.stand(scene, start))
  theirs = _pose(own, qpos[0], universal.stand(scene, start))
  rows = (fit.geoms >= 0) & (fit.model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE)
  np.testing.assert_allclose(
    ours.geom_xpos[rows], theirs.geom_xpos[fit.geoms[rows]], atol=1e-6
  )
  lacking = (fit.geoms < 0) & (fit.model.geom_rbound > 1e-3)
  assert (np.linalg.norm(ours.geom_xpos[lacking], axis=-1) > 10).all()
  for one, two in universal.sides(scene).values():
    assert one.any()
    assert two.any()


# One of each kind: a nut, a drawer, a book, a tower, a roll, crumbs, a plate.
@pytest.mark.parametrize("number", [45, 94, 5, 14, 53, 22, 173, 6])
def test_it_moves_as_the_scene_does(number):
  scene = tasks.ALL_TASKS[number].scene
  fit, num, steps = universal.make(scene), 4, 6
  start = policies.sample_start(scene, [[1, n] for n in range(num)])
  rng = np.random.default_rng(0)
  actions = np.zeros((num, physics.ACTION_SIZE), np.float32)
  actions[:, : physics.GOAL_SIZE] = rng.uniform(-0.5, 0.5, (num, 7))
  episode = physics.play(scene, start, actions)
  # By the program that `physics.play` uses.
  motion = batching.map_chunks(
    lambda rows: physics.make_motion(*rows, scene.hand.grip),
    physics._CHUNKS,
    (start.positions[:, -1], start.quats[:, -1], start.arm, actions),
  )
  control = physics._control(scene, start, motion)[..., : scene.model.nu]
  control = control[:, : steps * scene.substeps]
  stand = [
    np.repeat(x[:, None], control.shape[1], axis=1)
    for x in universal.stand(scene, start)
  ]
  model = fit.model
  state = np.zeros((num, 1 + model.nq + model.nv))
  qpos = scene_lib.initial_qpos(scene, start)
  state[:, 1 : 1 + model.nq] = universal.pack(fit, qpos)
  states, _ = rollout.rollout(
    model,
    mujoco.MjData(model),
    state,
    np.concatenate([control, *stand], axis=-1),
    control_spec=physics._CONTROL,
  )
  states = states[:, scene.substeps - 1 :: scene.substeps, 1:]
  np.testing.assert_allclose(
    states[..., fit.qpos], episode.qpos[:, 1 : steps + 1], atol=3e-4
  )


def test_what_does_not_fit_is_told():
  scene = tasks.ALL_TASKS[53].scene
  thing = scene.things["top"]
  many = dataclasses.replace(
    scene, things={**scene.things, "a": thing, "b": thing}
  )
  with pytest.raises(ValueError, match="6 free things, at most 5"):
    universal.make(many)
  nut = tasks.ALL_TASKS[45].scene.things["object"]
  two = dataclasses.replace(scene, things={"one": nut, "two": nut})
  with pytest.raises(ValueError, match=r"no room in 'second' for \['two/1'"):
    universal.make(two)


def _pose(model, qpos, stand):
  data = mujoco.MjData(model)
  data.qpos[:] = qpos
  if model.nmocap:
    data.mocap_pos[0], data.mocap_quat[0] = (x[0] for x in stand)
  mujoco.mj_kinematics(model, data)
  return data
