"""Tests of the forward kinematics against C MuJoCo, in every environment."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from a2r.sim.tabletop import physics, scene, variants
from a2r.sim.tabletop.engines import kinematics

_NUM_STATES = 8
_TREE = kinematics.make_tree(scene.make_model())


@jax.jit
def _poses(places, qpos, mocap):
  """Poses of bodies, joints and geoms of many states."""

  def one(qpos, mocap):
    poses = kinematics.body_poses(_TREE, places, qpos, mocap)
    return poses, kinematics.geom_poses(_TREE, poses, slice(None))

  return jax.vmap(one)(qpos, mocap)


_quaternions = jax.jit(jax.vmap(kinematics.quaternion))
_multiply = jax.jit(jax.vmap(kinematics.multiply))


def _random_qpos(model, rng):
  """Joints in their ranges `[nq]`, the mug anywhere and turned."""
  qpos = rng.uniform(-1, 1, model.nq)
  for joint in np.flatnonzero(model.jnt_limited):
    qpos[model.jnt_qposadr[joint]] = rng.uniform(*model.jnt_range[joint])
  qpos[scene.MUG_QUAT] = _random_quaternions(rng, 1)[0]
  return qpos


def _random_quaternions(rng, count):
  quaternions = rng.normal(size=(count, 4))
  return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


def _matrices(quaternions):
  matrices = np.zeros((len(quaternions), 9))
  for matrix, quaternion in zip(matrices, quaternions, strict=True):
    mujoco.mju_quat2Mat(matrix, quaternion)
  return matrices.reshape(-1, 3, 3)


@pytest.mark.parametrize("name", variants.ENVIRONMENTS)
def test_bodies_joints_and_geoms_are_where_c_has_them(name):
  model = physics.load(name).mj
  rng = np.random.default_rng(0)
  qpos = np.stack([_random_qpos(model, rng) for _ in range(_NUM_STATES)])
  mocap = rng.uniform(-0.5, 0.5, (_NUM_STATES, 3))
  poses, geoms = _poses(model.body_pos, qpos, mocap)
  ours = dict(zip(("geom_xpos", "geom_xmat"), geoms, strict=True))
  ours |= {"xpos": poses.position, "xmat": poses.rotation}
  ours |= {"xanchor": poses.anchor, "xaxis": poses.axis}
  data = mujoco.MjData(model)
  for index in range(_NUM_STATES):
    data.qpos[:] = qpos[index]
    data.mocap_pos[0], data.mocap_quat[0] = mocap[index], scene.HAND_QUAT
    mujoco.mj_kinematics(model, data)
    for field, values in ours.items():
      theirs = getattr(data, field)
      np.testing.assert_allclose(
        values[index].reshape(theirs.shape), theirs, atol=1e-5, err_msg=field
      )


def test_inverts_rotations_up_to_sign():
  halves = np.eye(4)[1:]  # By 180 degrees about x, y and z.
  slanted = [[0, 0.6, 0.8, 0], [0, 0.6, 0, -0.8], [0, 0.48, 0.6, 0.64]]
  almost = [[1e-4, 1, 0, 0], [-1e-4, 0, 1, 0], [1e-4, 0, 0, 1]]
  random = _random_quaternions(np.random.default_rng(0), 200)
  wanted = np.concatenate([np.eye(4)[:1], halves, slanted, almost, random])
  got = np.asarray(_quaternions(_matrices(wanted)))
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
