"""Tests of the smooth dynamics against C MuJoCo, in every environment."""

import jax
import mujoco
import numpy as np
import pytest

from a2r.sim.tabletop import physics, scene, variants
from a2r.sim.tabletop.engines import dynamics, kinematics

_NUM_STATES = 4
_TREE = kinematics.make_tree(scene.make_model())


@jax.jit
def _smooth(places, qpos, qvel, mocap):
  def one(qpos, qvel, mocap):
    poses = kinematics.body_poses(_TREE, places, qpos, mocap)
    return dynamics.smooth(_TREE, poses, qpos, qvel)

  return jax.vmap(one)(qpos, qvel, mocap)


@jax.jit
def _integrate(qpos, qvel):
  return jax.vmap(lambda *state: dynamics.integrate(_TREE, *state))(qpos, qvel)


def _states(model, rng):
  """Random `[S, nq]`, `[S, nv]`, `[S, 3]`; the mug turned and spinning."""
  qpos = rng.uniform(-1, 1, (_NUM_STATES, model.nq))
  for joint in np.flatnonzero(model.jnt_limited):
    place = model.jnt_qposadr[joint]
    qpos[:, place] = rng.uniform(*model.jnt_range[joint], _NUM_STATES)
  quat = rng.normal(size=(_NUM_STATES, 4))
  quat /= np.linalg.norm(quat, axis=-1, keepdims=True)
  qpos[:, scene.MUG_QUAT] = quat
  qvel = rng.normal(size=(_NUM_STATES, model.nv))
  return qpos, qvel, rng.uniform(-0.5, 0.5, (_NUM_STATES, 3))


def _forward(model, qpos, qvel, mocap):
  """What C MuJoCo computes of one state, by the names of `Smooth`."""
  data = mujoco.MjData(model)
  data.qpos[:], data.qvel[:] = qpos, qvel
  data.mocap_pos[0], data.mocap_quat[0] = mocap, scene.HAND_QUAT
  mujoco.mj_forward(model, data)
  inertia = np.zeros((model.nv, model.nv))
  for row, unit in zip(inertia, np.eye(model.nv), strict=True):
    mujoco.mj_mulM(model, data, row, unit)
  return dict(
    center=data.subtree_com,
    motion=data.cdof,
    motion_dot=data.cdof_dot,
    velocity=data.cvel,
    inertia=inertia,
    force=data.qfrc_passive - data.qfrc_bias,
  )


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_smooth_dynamics_agree_with_c(name):
  model = physics.load(name).mj
  states = _states(model, np.random.default_rng(0))
  smooth = _smooth(model.body_pos, *states)._asdict()
  weighs = model.body_subtreemass > 0
  assert weighs.sum() > 10
  for index, state in enumerate(zip(*states, strict=True)):
    for field, theirs in _forward(model, *state).items():
      ours = smooth[field][index]
      if field == "center":  # That of nothing is anywhere.
        ours, theirs = ours[weighs], theirs[weighs]
      scale = max(1.0, np.abs(theirs).max())
      np.testing.assert_allclose(
        ours / scale, theirs / scale, atol=2e-6, err_msg=field
      )


def test_integration_agrees_with_c():
  model = scene.make_model()
  qpos, qvel, _ = _states(model, np.random.default_rng(0))
  qvel[0] = 0  # The limit of no spin.
  qvel[1] *= 200  # Half a turn of the mug within a timestep, or more.
  ours = _integrate(qpos, qvel)
  for index in range(_NUM_STATES):
    theirs = qpos[index].copy()
    mujoco.mj_integratePos(model, theirs, qvel[index], model.opt.timestep)
    np.testing.assert_allclose(ours[index], theirs, atol=2e-6)
