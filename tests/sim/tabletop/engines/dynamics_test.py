"""Kinematics and smooth dynamics against C MuJoCo, in every environment."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from a2r.sim.tabletop import physics, scene, variants
from a2r.sim.tabletop.engines import dynamics, kinematics

_NUM_STATES = 4
_TREE = kinematics.make_tree(scene.make_model())


@jax.jit
def _compute(places, qpos, qvel, mocap):
  """Poses and dynamics of many states, by MuJoCo's names."""

  def one(qpos, qvel, mocap):
    poses = kinematics.body_poses(_TREE, places, qpos, mocap)
    geoms = kinematics.geom_poses(_TREE, poses, slice(None))
    smooth = dynamics.smooth(_TREE, poses, qpos, qvel)
    return dict(
      xpos=poses.position,
      xmat=poses.rotation,
      xanchor=poses.anchor,
      xaxis=poses.axis,
      geom_xpos=geoms[0],
      geom_xmat=geoms[1],
      subtree_com=smooth.center,
      cdof=smooth.motion,
      cdof_dot=smooth.motion_dot,
      cvel=smooth.velocity,
      inertia=smooth.inertia,
      force=smooth.force,
    )

  return jax.vmap(one)(qpos, qvel, mocap)


def _random_quaternions(rng, count):
  quaternions = rng.normal(size=(count, 4))
  return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


def _states(model):
  """Random `[S, nq]`, `[S, nv]`, `[S, 3]`; the mug turned and spinning."""
  rng = np.random.default_rng(0)
  qpos = rng.uniform(-1, 1, (_NUM_STATES, model.nq))
  for joint in np.flatnonzero(model.jnt_limited):
    place = model.jnt_qposadr[joint]
    qpos[:, place] = rng.uniform(*model.jnt_range[joint], _NUM_STATES)
  qpos[:, scene.MUG_QUAT] = _random_quaternions(rng, _NUM_STATES)
  qvel = rng.normal(size=(_NUM_STATES, model.nv))
  return qpos, qvel, rng.uniform(-0.5, 0.5, (_NUM_STATES, 3))


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_poses_and_dynamics_agree_with_c(name):
  model = physics.load(name).mj
  states = _states(model)
  computed = _compute(model.body_pos, *states)
  weighs = model.body_subtreemass > 0
  assert weighs.sum() > 10
  data = mujoco.MjData(model)
  data.mocap_quat[0] = scene.HAND_QUAT
  for index, (qpos, qvel, mocap) in enumerate(zip(*states, strict=True)):
    data.qpos[:], data.qvel[:], data.mocap_pos[0] = qpos, qvel, mocap
    mujoco.mj_forward(model, data)
    inertia = np.zeros((model.nv, model.nv))
    for row, unit in zip(inertia, np.eye(model.nv), strict=True):
      mujoco.mj_mulM(model, data, row, unit)
    own = {"inertia": inertia, "force": data.qfrc_passive - data.qfrc_bias}
    for field, values in computed.items():
      theirs = own[field] if field in own else getattr(data, field)
      ours = values[index].reshape(theirs.shape)
      if field == "subtree_com":  # That of nothing is anywhere.
        ours, theirs = ours[weighs], theirs[weighs]
      scale = max(1.0, np.abs(theirs).max())
      np.testing.assert_allclose(
        ours / scale, theirs / scale, atol=2e-6, err_msg=field
      )


def test_integration_agrees_with_c():
  model = scene.make_model()
  qpos, qvel, _ = _states(model)
  qvel[0] = 0  # The limit of no spin.
  qvel[1] *= 200  # Half a turn of the mug within a timestep, or more.
  integrate = jax.vmap(lambda *state: dynamics.integrate(_TREE, *state))
  ours = jax.jit(integrate)(qpos, qvel)
  for index in range(_NUM_STATES):
    theirs = qpos[index].copy()
    mujoco.mj_integratePos(model, theirs, qvel[index], model.opt.timestep)
    np.testing.assert_allclose(ours[index], theirs, atol=2e-6)


def test_quaternions_invert_rotations_up_to_sign():
  halves = np.eye(4)[1:]  # By 180 degrees about x, y and z.
  slanted = [[0, 0.6, 0.8, 0], [0, 0.6, 0, -0.8], [0, 0.48, 0.6, 0.64]]
  almost = [[1e-4, 1, 0, 0], [-1e-4, 0, 1, 0], [1e-4, 0, 0, 1]]
  random = _random_quaternions(np.random.default_rng(0), 200)
  wanted = np.concatenate([np.eye(4)[:1], halves, slanted, almost, random])
  matrices = np.zeros((len(wanted), 9))
  for matrix, quaternion in zip(matrices, wanted, strict=True):
    mujoco.mju_quat2Mat(matrix, quaternion)
  quaternions = jax.jit(jax.vmap(kinematics.quaternion))
  got = np.asarray(quaternions(matrices.reshape(-1, 3, 3)))
  np.testing.assert_allclose(np.linalg.norm(got, axis=-1), 1, atol=1e-6)
  sign = np.sign(np.sum(got * wanted, axis=-1, keepdims=True))
  np.testing.assert_allclose(sign * got, wanted, atol=1e-6)


def test_joints_are_counted_from_their_reference():
  model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><body><joint type="hinge" axis="1 2 3" ref="20"/>'
    '<joint type="slide" axis="0 1 1" ref="0.5"/><geom size="1"/></body>'
    "</worldbody></mujoco>"
  )
  data = mujoco.MjData(model)
  data.qpos[:] = (0.7, 0.2)
  mujoco.mj_kinematics(model, data)
  tree = kinematics.make_tree(model)
  places, qpos = jnp.asarray(model.body_pos), jnp.asarray(data.qpos)
  poses = kinematics.body_poses(tree, places, qpos, jnp.zeros(3))
  np.testing.assert_allclose(poses.position, data.xpos, atol=1e-6)
  rotation = poses.rotation.reshape(-1, 9)
  np.testing.assert_allclose(rotation, data.xmat, atol=1e-6)
