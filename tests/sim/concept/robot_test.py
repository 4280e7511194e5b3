"""The robot's kinematics and the primitives that move it."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.sim.concept import arm, dmp, rotations

forward, matrix = jax.jit(arm.forward), jax.jit(rotations.matrix)


def test_the_unit_response_is_that_of_the_release():
  path = dmp.rollout(jnp.zeros(1), jnp.ones(1), jnp.zeros((49, 1)))[:, 0]
  steps = np.array([1, 5, 10, 20, 30, 40, 49]) - 1
  expected = [0.015, 0.158, 0.385, 0.720, 0.882, 0.951, 0.978]
  np.testing.assert_allclose(path[steps], expected, atol=1e-3)


def test_forces_push_and_fade():
  force = np.ones((49, 1)) * dmp.RAMP[:, None]
  path = dmp.rollout(jnp.zeros(1), jnp.zeros(1), force)[:, 0]
  assert path.argmax() == 23
  np.testing.assert_allclose((path.max(), path[-1]), (0.81, 0.40), atol=0.01)


def test_the_flange_is_where_the_recordings_have_it():
  found = forward(jnp.asarray(arm.HOME))
  np.testing.assert_allclose(found.position, (0.408, -0.393, 0.383), atol=1e-3)
  approach = matrix(found.quat)[:, 2]
  np.testing.assert_allclose(approach, (0.12, 0.94, -0.32), atol=5e-3)


def test_forward_kinematics_are_mujoco_s():
  model = arm.make_spec().copy().compile()
  data, rng = mujoco.MjData(model), np.random.default_rng(0)
  flange = model.body("flange").id
  for _ in range(5):
    data.qpos[:7] = rng.uniform(*model.jnt_range[:7].T)
    mujoco.mj_kinematics(model, data)
    found = forward(jnp.float32(data.qpos[:7]))
    np.testing.assert_allclose(found.position, data.xpos[flange], atol=1e-5)
    turn = matrix(found.quat).ravel()
    np.testing.assert_allclose(turn, data.xmat[flange], atol=1e-5)


def test_the_jacobian_is_the_derivative():
  joints = jnp.asarray(arm.HOME)
  found = forward(joints)
  slope = jax.jit(jax.jacfwd(lambda x: forward(x).position))(joints)
  np.testing.assert_allclose(found.jacobian[:3], slope, atol=1e-5)


def test_rotations_agree_with_mujoco():
  euler = np.array([np.pi / 2, 0.3, -0.4])
  quat = np.empty(4)
  mujoco.mju_euler2Quat(quat, euler, "XYZ")
  np.testing.assert_allclose(rotations.from_euler(*euler), quat, atol=1e-12)
  turned_back = jax.jit(lambda x: rotations.to_vector(rotations.from_vector(x)))
  for vector in ([0.3, -0.2, 0.9], [0.0, 0.0, 0.0], [0.0, 3.1, 0.0]):
    back = turned_back(jnp.float32(vector))
    np.testing.assert_allclose(back, vector, atol=1e-5)
  for z, y in (((0, 0, -1), (0, 1, 0)), ((0.28, 0.9, -0.3), (-0.9, 0.3, 0))):
    turn = matrix(jnp.float32(rotations.from_axes(z, y)))
    np.testing.assert_allclose(turn[:, 2], z / np.linalg.norm(z), atol=1e-6)
    assert turn[:, 1] @ np.float32(y) > 0
  assert np.isfinite(
    jax.jit(jax.grad(lambda v: rotations.from_vector(v).sum()))(jnp.zeros(3))
  ).all()


def test_the_pads_are_where_the_release_has_them():
  model = arm.make_spec().copy().compile()
  data = mujoco.MjData(model)
  flange, pad = model.body("flange").id, model.geom("pad/right").id
  for command, (y, z) in {
    0: (0.0462, 0.1303), 130: (0.0256, 0.1417), 255: (0.003, 0.144)
  }.items():  # fmt: skip
    angle = 0.81 * command / 255
    for part, sign in (("finger", 1), ("tip", -1)):
      data.qpos[model.joint(f"right_{part}").qposadr[0]] = sign * angle
    mujoco.mj_kinematics(model, data)
    turn = data.xmat[flange].reshape(3, 3)
    at = turn.T @ (data.geom_xpos[pad] - data.xpos[flange])
    np.testing.assert_allclose(at, (0, y, z), atol=3e-4)
