"""MJX behind JAX arrays: control steps and poses, pure, for any XLA device.

Collisions and the constraints' rows are MJX's; what comes before them is
`a2r.sim.tabletop.engines.dynamics`, what comes after them
`a2r.sim.tabletop.engines.solver`. Letters: B batch, N bodies, G geoms.
"""

import contextlib
import functools
import io

import jax
import jax.numpy as jnp
import numpy as np

from a2r.sim.tabletop import control, scene
from a2r.sim.tabletop.engines import dynamics, kinematics, solver

# It prints that Warp is absent.
with contextlib.redirect_stdout(io.StringIO()):
  from mujoco import mjx

_WELD_ROWS = 6  # The first constraints are the weld.


def step(
  fixtures: jax.Array,
  qpos: jax.Array,
  qvel: jax.Array,
  mocap: jax.Array,
  gripper: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Makes one control step: five substeps, then `control.stabilize`.

  Batched inside of its loop, which traces several times faster than a
  `jax.vmap` around it.

  Args:
    fixtures: `[3, 3]` places of the drawer, the coffee machine and the faucet.
      This is all in which the environments' dynamics differ; it is data, so one
      compiled program serves them all.
    qpos: `[B, nq]`.
    qvel: `[B, nv]`.
    mocap: `[B, 3]` where the mocap body is held.
    gripper: `[B]` target of the claws.

  Returns:
    The next `qpos` and `qvel` and the hand's position `[B, 3]`.
  """
  places = _place(fixtures)
  substep = jax.vmap(functools.partial(_substep, places))
  (qpos, qvel, _), _ = jax.lax.scan(
    lambda state, _: (substep(*state, mocap, gripper), None),
    (qpos, qvel, jnp.zeros_like(qvel)),
    length=scene.FRAME_SKIP,
  )
  qpos, qvel = control.stabilize(qpos, qvel, jnp)
  poses = jax.vmap(functools.partial(_poses, places))(qpos, mocap)
  return qpos, qvel, poses.position[:, _body("hand")]


def geom_poses(
  fixtures: jax.Array, qpos: jax.Array, geom_ids
) -> tuple[jax.Array, jax.Array]:
  """Returns world poses of geoms: `[nq]` to `[G, 3]` and `[G, 3, 3]`."""
  tree = _drawn_tree()
  poses = kinematics.body_poses(tree, _place(fixtures), qpos, jnp.zeros(3))
  return kinematics.geom_poses(tree, poses, geom_ids)


def _place(fixtures):
  """Returns places of all bodies in their parents, `[N, 3]` meters."""
  places = jnp.asarray(_tree().model.body_pos, jnp.float32)
  ids = np.array([_body(name) for name in scene.FIXTURES])
  return places.at[ids].set(fixtures)


def _poses(places, qpos, mocap):
  return kinematics.body_poses(_tree(), places, qpos, mocap)


def _substep(places, qpos, qvel, warmstart, mocap, gripper):
  """Makes one timestep of 2.5 ms; unbatched.

  Returns:
    The next `qpos` and `qvel`, and the acceleration to start the solver from.
  """
  (model, data), tree, hand = _base(), _tree(), _body("hand")
  poses = _poses(places, qpos, mocap)
  smooth = dynamics.smooth(tree, poses, qpos, qvel)
  hand_quat = kinematics.quaternion(poses.rotation[hand])
  position, rotation = kinematics.geom_poses(tree, poses, slice(None))
  quats = data.xquat.at[hand].set(hand_quat)
  data = data.replace(
    qpos=qpos,
    qvel=qvel,
    xpos=poses.position,
    xmat=poses.rotation,
    xquat=quats.at[_body("mocap")].set(jnp.asarray(scene.HAND_QUAT)),
    geom_xpos=position,
    geom_xmat=rotation,
    subtree_com=smooth.center,
    cdof=smooth.motion,
  )
  data = mjx.make_constraint(model, mjx.collision(model, data))
  aref = data._impl.efc_aref
  curvature = _weld_curvature(poses, smooth, qvel, hand_quat)
  force = smooth.force + _actuate(qpos, gripper)
  qacc, constraint_force = solver.solve(
    smooth.inertia,
    solver.solve_spd(smooth.inertia, force),
    data._impl.efc_J,
    aref.at[:_WELD_ROWS].add(-curvature),
    data._impl.efc_D,
    warmstart,
    num_equalities=_WELD_ROWS,
    iterations=tree.model.opt.iterations,
    search_iterations=tree.model.opt.ls_iterations,
  )
  # Implicit in the joints' damping, as C's implicitfast integrator.
  timestep = tree.model.opt.timestep
  damping = np.float32(timestep * tree.model.dof_damping)
  damped = smooth.inertia + np.diag(damping)
  change = solver.solve_spd(damped, force + constraint_force)
  qvel = qvel + timestep * change
  return dynamics.integrate(tree, qpos, qvel), qvel, qacc


def _actuate(qpos, gripper):
  """Returns forces `[nv]` of the position actuators of the claws."""
  model = _tree().model
  joints = model.actuator_trnid[:, 0]
  low, high = np.float32(model.actuator_ctrlrange.T)
  ctrl = jnp.clip(jnp.stack([gripper, -gripper]), low, high)
  error = ctrl - qpos[model.jnt_qposadr[joints]]
  force = np.float32(model.actuator_gainprm[:, 0]) * error
  return jnp.zeros(model.nv).at[model.jnt_dofadr[joints]].set(force)


def _weld_curvature(poses, smooth, qvel, hand_quat):
  """Returns dJ/dt qvel `[6]` of the weld between mocap and hand.

  C's reference acceleration of an equality constraint with Jacobian J has the
  term -dJ/dt qvel; MJX's has not, and without it the hands of the two engines
  part by millimeters within a few control steps.

  The residual is the hand's offset to the mocap, then the vector part of
  mocap^-1 * hand, negated both. Their second derivatives without joint
  accelerations need the hand's velocity-product acceleration.
  """
  hand = _body("hand")
  root = _tree().model.body_rootid[hand]
  twist = qvel[scene.ARM] @ smooth.motion_dot[scene.ARM]
  velocity = smooth.velocity[hand]
  spin = velocity[:3]
  offset = poses.position[hand] - smooth.center[root]
  speed = velocity[3:] + jnp.cross(spin, offset)
  linear = twist[3:] + jnp.cross(twist[:3], offset) + jnp.cross(spin, speed)
  back = jnp.asarray(scene.HAND_QUAT) * jnp.array([1.0, -1.0, -1.0, -1.0])
  turned = kinematics.multiply(
    jnp.concatenate([jnp.zeros(1), twist[:3]]), hand_quat
  )
  angular = 0.5 * kinematics.multiply(back, turned) - 0.25 * (
    spin @ spin
  ) * kinematics.multiply(back, hand_quat)
  return -jnp.concatenate([linear, angular[1:]])


@functools.cache
def _tree() -> kinematics.Tree:
  return kinematics.make_tree(scene.make_contact_model())


@functools.cache
def _drawn_tree() -> kinematics.Tree:
  return kinematics.make_tree(scene.make_model())


def _body(name: str) -> int:
  return _tree().model.body(name).id


@functools.cache
def _base() -> tuple[mjx.Model, mjx.Data]:
  with jax.ensure_compile_time_eval():
    model = _tree().model
    return mjx.put_model(model, impl="jax"), mjx.make_data(model, impl="jax")
