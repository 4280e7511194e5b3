"""MJX behind numpy arrays: whole episodes, for any XLA device.

One program plays all scenes (`a2r.sim.concept.universal`): a scene's model, its
timestep and the steps of the physics in a control step are data. It plays a
fixed number of episodes at a time, so it is compiled once.

A step is MJX's, but for where things are: MJX's own program for that takes
minutes to compile on a CPU. Letters: N episodes at a time, T control steps, S
steps of the physics in each, C contacts, G shapes.
"""

import contextlib
import functools
import io

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.core import batching
from a2r.sim.concept import rotations, universal
from a2r.sim.concept import scene as scene_lib

# It prints that Warp is absent.
with contextlib.redirect_stdout(io.StringIO()):
  from mujoco import mjx

_CALL = {"cpu": 8}  # Episodes at a time: a CPU gains nothing from more.
_OTHER_CALL = 512
_MOST_SUBSTEPS = 12
_NEVER = -1e3  # The radius of a shape that is nowhere, meters.


def simulate(
  scene: scene_lib.Scene,
  start: scene_lib.Start,
  qpos: np.ndarray,
  control: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
  """Plays all control steps of B episodes.

  Args:
    scene: what is played with.
    start: B starts.
    qpos: `[B, nq]` of the scene's model at the start.
    control: `[B, T * S, nu]` of the actuators.

  Returns:
    Joint positions `[B, T+1, nq]` and velocities `[B, T+1, nv]` of the scene's
    model and who touched, bool `[B, T+1]` by `scene.contacts`; row 0 the start.
  """
  fit, stand = universal.make(scene), universal.stand(scene, start)
  packed = universal.pack(fit, qpos)
  control = control.reshape(len(qpos), -1, scene.substeps, control.shape[-1])
  room = _MOST_SUBSTEPS - scene.substeps
  control = np.pad(control, ((0, 0), (0, 0), (0, room), (0, 0)))
  rows = packed, *stand, control
  after, qvel, touching = batching.map_chunks(
    lambda rows: _simulate(_leaves(scene), scene.substeps, *rows),
    (_CALL.get(jax.default_backend(), _OTHER_CALL),),
    jax.tree.map(np.float32, rows),
  )
  after = np.concatenate([qpos[:, None], after[..., fit.qpos]], axis=1)
  qvel, touching = (
    np.pad(x, ((0, 0), (1, 0), *((0, 0),) * (x.ndim - 2)))
    for x in (qvel[..., fit.qvel], touching)
  )
  touching = touching | np.swapaxes(touching, -1, -2)
  contacts = {
    name: touching[..., one, :][..., two].any(axis=(-1, -2))
    for name, (one, two) in universal.sides(scene).items()
  }
  return after, qvel, contacts


@jax.jit
@jax.default_matmul_precision("highest")  # An accelerator's own is too coarse.
def _simulate(leaves, substeps, qpos, position, quat, control):
  """Plays N episodes of the scene whose model's arrays are `leaves`.

  Returns:
    `[N, T, nq]`, `[N, T, nv]` and bool `[N, T, G, G]`, who touched.
  """
  structure, data = _base()
  model = jax.tree.unflatten(structure, leaves)
  substep = jax.vmap(functools.partial(_substep, model, data))
  num, size = len(qpos), model.ngeom

  def step(state, control):
    def body(index, carry):
      state, touching = carry
      state, pairs, touch = substep(state, position, quat, control[:, index])
      rows = jnp.arange(num)[:, None]
      return state, touching.at[rows, pairs[..., 0], pairs[..., 1]].max(touch)

    nobody = jnp.zeros((num, size, size), bool)
    state, touching = jax.lax.fori_loop(0, substeps, body, (state, nobody))
    return state, (*state[:2], touching)

  rest = jnp.zeros((num, model.nv))
  control = jnp.moveaxis(control, 1, 0)
  _, played = jax.lax.scan(step, (qpos, rest, rest), control)
  return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), played)


def _substep(model, data, state, position, quat, control):
  """Makes one step of the physics; unbatched.

  Args:
    model: of MJX.
    data: any of that model, to be filled.
    state: `qpos`, `qvel`, and the acceleration to start the solver from.
    position: `[3]` of the fixture.
    quat: `[4]` of the fixture.
    control: `[nu]`.

  Returns:
    The next state, the contacts' shapes `[C, 2]` and whether they touch `[C]`.
  """
  qpos, qvel, warmstart = state
  data = data.replace(
    qpos=qpos,
    qvel=qvel,
    qacc_warmstart=warmstart,
    ctrl=control,
    mocap_pos=position[None],
    mocap_quat=quat[None],
  )
  data = _settle(mjx.com_pos(model, _kinematics(model, data)))
  data = mjx.factor_m(model, mjx.crb(model, data))
  data = _settle(mjx.collision(model, data))
  contact = data._impl.contact
  data = mjx.transmission(model, mjx.make_constraint(model, data))
  data = mjx.fwd_actuation(model, mjx.fwd_velocity(model, _settle(data)))
  data = mjx.solve(model, _settle(mjx.fwd_acceleration(model, data)))
  data = mjx.implicit(_yielding(model, data), data)
  state = data.qpos, data.qvel, data.qacc_warmstart
  return state, contact.geom, contact.dist < 0


def _yielding(model, data):
  """Returns the model without damping of servos that are at their limits.

  MuJoCo's implicit integrator leaves it out, MJX's does not.
  """
  low, high = model.actuator_forcerange.T
  limited = (data.actuator_force <= low) | (data.actuator_force >= high)
  bias = jnp.where(limited[:, None], 0.0, model.actuator_biasprm)
  return model.replace(actuator_biasprm=bias)


def _kinematics(model, data):
  """Returns `data` with the places of bodies, joints and shapes.

  As `mjx.kinematics`, for free joints, slides and hinges, a slide before a
  hinge. Each body's pose is known in its parent; poses in the parent's parent,
  and its, and so on, take as many rounds as twice the last depth needs.
  """
  bodies, kinds = model.jnt_bodyid, mujoco.mjtJoint
  free, slides, hinges = (
    np.flatnonzero(model.jnt_type == kind)
    for kind in (kinds.mjJNT_FREE, kinds.mjJNT_SLIDE, kinds.mjJNT_HINGE)
  )
  at = model.jnt_qposadr
  amounts = (data.qpos[at] - model.qpos0[at])[:, None]
  pose = data.qpos[at[free, None] + np.arange(7)]
  quats = pose[:, 3:] / jnp.linalg.norm(pose[:, 3:], axis=-1, keepdims=True)
  mocap = model.body_mocapid >= 0
  places = model.body_pos.at[bodies[free]].set(pose[:, :3])
  places = places.at[mocap].set(data.mocap_pos)
  turns = model.body_quat.at[bodies[free]].set(quats)
  turns = turns.at[mocap].set(data.mocap_quat)
  axes = _turned(turns[bodies], model.jnt_axis)
  places = places.at[bodies[slides]].add(amounts[slides] * axes[slides])
  anchors = places[bodies] + _turned(turns[bodies], model.jnt_pos)
  turn = rotations.from_vector(amounts[hinges] * model.jnt_axis[hinges])
  turn = rotations.multiply(turns[bodies[hinges]], turn)
  turns = turns.at[bodies[hinges]].set(turn)
  offset = _turned(turn, model.jnt_pos[hinges])
  places = places.at[bodies[hinges]].set(anchors[hinges] - offset)
  poses, above = _settle((places, turns)), model.body_parentid
  while above.any():
    outer = jax.tree.map(lambda x, rows=above: x[rows], poses)
    poses, above = _settle(_compose(outer, poses)), above[above]
  parents = model.body_parentid[bodies]
  xpos, xquat = poses
  xipos, inertial = _compose(poses, (model.body_ipos, model.body_iquat))
  rows = model.geom_bodyid
  outer = xpos[rows], xquat[rows]
  geoms, facing = _compose(outer, (model.geom_pos, model.geom_quat))
  return data.replace(
    xpos=xpos,
    xquat=xquat,
    xmat=rotations.matrix(xquat),
    xanchor=xpos[parents] + _turned(xquat[parents], anchors),
    xaxis=_turned(xquat[parents], axes),
    xipos=xipos,
    ximat=rotations.matrix(inertial),
    geom_xpos=geoms,
    geom_xmat=rotations.matrix(facing),
  )


def _compose(outer, inner):
  """Returns poses given in other poses, batched."""
  position = outer[0] + _turned(outer[1], inner[0])
  return position, rotations.multiply(outer[1], inner[1])


def _turned(quat, vector):
  return jnp.sum(rotations.matrix(quat) * vector[..., None, :], axis=-1)


def _settle(arrays):
  """Computes `arrays` once on a CPU.

  There XLA would compute them again for all that they are used for
  (jax-ml/jax#33761).
  """
  if jax.default_backend() != "cpu":
    return arrays
  return jax.lax.optimization_barrier(arrays)


@functools.cache
def _base():
  """Returns the structure of all scenes' models, and data of it."""
  model = universal.make(scene_lib.Scene({}, scene_lib.Hand())).model
  with jax.ensure_compile_time_eval():
    structure = jax.tree.structure(mjx.put_model(model, impl="jax"))
    return structure, mjx.make_data(model, impl="jax")


@functools.cache
def _leaves(scene):
  """Returns the arrays of a scene's model."""
  fit = universal.make(scene)
  model = mjx.put_model(fit.model, impl="jax")
  radius = jnp.where(fit.geoms < 0, _NEVER, model.geom_rbound)
  return jax.tree.leaves(model.replace(geom_rbound=radius))
