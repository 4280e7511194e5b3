"""The tabletop's dynamics: action sequences to trajectories.

Two engines stand behind one signature: C MuJoCo on all cores, which is ten
times faster on a CPU, and MJX, which runs on any XLA device. Both start from
the same state and follow the control of DVD's environment: an action moves the
mocap body, five substeps follow, the mug is set upright.

Letters: B batch, T control steps. An action `[5]` is (dx, dy, dz, rotation,
gripper): 1 in x, y or z moves the mocap by 5 cm, the rotation has no effect,
the gripper is the target of the claws, -1 open and 1 closed.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from etils import epy

from a2r.core import checks
from a2r.sim.tabletop import episodes, scene, variants
from a2r.sim.tabletop.engines import c_engine

with epy.lazy_imports():  # It takes seconds.
  from a2r.sim.tabletop.engines import mjx_engine

ACTION_SIZE = 5
ACTION_LOW = np.array([-1, -1, -1, -np.pi, -1], np.float32)
ACTION_HIGH = -ACTION_LOW
ACTION_SCALE = 1 / 20
NUM_STEPS = 60
PHYSICS = ("auto", "c", "mjx")
_START_MOCAP = np.array([0.0, 0.5, 0.02], np.float32)
_START_DRAWER = -0.07
_START_ARM = (0.1916, -0.53, 2.6142, 2.5618, -2.0943, 1.4821, -2.9768)
_SETTLE_STEPS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
  """A placed tabletop and the state that every episode starts from."""

  variant: variants.Variant  # The environment.
  mj: mujoco.MjModel  # Its compiled model.
  qpos: np.ndarray  # `[nq]` float32 at the start.
  qvel: np.ndarray  # `[nv]` likewise.
  hand: np.ndarray  # `[3]` likewise.

  @functools.cached_property
  def fixtures(self) -> np.ndarray:
    """Places `[3, 3]` of drawer, coffee machine and faucet, meters."""
    ids = [self.mj.body(name).id for name in scene.FIXTURES]
    return np.float32(self.mj.body_pos[ids])

  @functools.cached_property
  def contact(self) -> mujoco.MjModel:
    """The same without the shapes that touch nothing: the same motion."""
    model = scene.make_contact_model()
    for name in scene.FIXTURES:
      model.body(name).pos[:] = self.mj.body(name).pos
    return model

  def start(self) -> episodes.SimState:
    """Returns the state that every episode starts from."""
    parts = (self.qpos, self.qvel, _START_MOCAP, self.hand)
    return episodes.SimState(*map(jnp.asarray, parts))


@functools.cache
def load(name: str) -> Model:
  """Returns the environment of that name, settled and ready.

  As in DVD: 100 control steps with the mocap held at the start and the claws
  driven open, 100 more at rest, then the objects are put in place.

  Raises:
    KeyError: if there is none; the known are listed.
  """
  variant = variants.get(name)
  model = variants.make_model(variant)
  data = mujoco.MjData(model)
  data.qpos[scene.ARM] = _START_ARM
  data.mocap_pos[0], data.mocap_quat[0] = _START_MOCAP, scene.HAND_QUAT
  for gripper in (-1.0, 0.0):
    data.ctrl[:] = (gripper, -gripper)
    for _ in range(_SETTLE_STEPS):
      _place_objects(variant, data)
      mujoco.mj_step(model, data, scene.FRAME_SKIP)
  _place_objects(variant, data)
  (hand,) = c_engine.hand_positions(model, data.qpos[None])
  return Model(variant, model, *map(np.float32, (data.qpos, data.qvel, hand)))


def rollout(
  model: Model, actions: np.ndarray | jax.Array, *, physics: str = "auto"
) -> episodes.Episodes:
  """Plays action sequences from the start.

  Args:
    model: from `load`.
    actions: `[B, T, 5]`; clipped to the action box.
    physics: as in `sim.make`. MJX compiles once per (B, T), for all
      environments.

  Returns:
    `states`, `qpos` and `actions`, numpy arrays from C and JAX arrays from MJX.

  Raises:
    ValueError: if `physics` is unknown or `actions` has a wrong shape.
  """
  shape = np.shape(actions)
  if len(shape) != 3 or shape[-1] != ACTION_SIZE:
    raise ValueError(f"actions must be [batch, steps, 5], got {shape}")
  if resolve(physics) == "mjx":
    actions = jnp.asarray(actions, jnp.float32)
    return _rollout_mjx(model.fixtures, model.start(), actions)
  actions = np.asarray(actions, np.float32)
  start = episodes.tile(model.start(), len(actions))
  _, qpos, states = play_c(model, start, actions)
  return episodes.Episodes(np.float32(states), np.float32(qpos), actions)


@jax.jit
def _rollout_mjx(fixtures, start, actions):
  size = len(actions)
  start = jax.tree.map(lambda x: jnp.broadcast_to(x, (size, *x.shape)), start)
  _, qpos, states = play_mjx(fixtures, start, actions)
  return episodes.Episodes(states, qpos, actions)


def play_mjx(
  fixtures: jax.Array, state: episodes.SimState, actions: jax.Array
) -> tuple[episodes.SimState, jax.Array, jax.Array]:
  """Plays action sequences from any states, in MJX; pure.

  Args:
    fixtures: `[3, 3]`, `Model.fixtures`.
    state: `[B, ...]`.
    actions: `[B, T, 5]`.

  Returns:
    The last states, joint positions `[B, T+1, nq]` and DVD's states
    `[B, T+1, 13]`, row 0 those of `state`.
  """
  return _play(functools.partial(step_mjx, fixtures), state, actions)


def play_c(
  model: Model, state: episodes.SimState, actions: np.ndarray
) -> tuple[episodes.SimState, np.ndarray, np.ndarray]:
  """Plays the same with C, on the host, in float64."""
  step_fn = functools.partial(step_c, model)
  return _play(step_fn, state, actions, on_host=True)


def _play(step_fn, state, actions, *, on_host=False):
  state, (qpos, states), _ = episodes.unroll(
    step_fn,
    state,
    lambda _, index: actions[:, index],
    actions.shape[1],
    record_fn=lambda state: (state.qpos, episodes.low_dim_state(state)),
    on_host=on_host,
  )
  return state, qpos, states


def step(
  model: Model, state: episodes.SimState, action: jax.Array, *, engine: str
) -> episodes.SimState:
  """Returns the state after one control step; unbatched, for jit and vmap.

  With C the step is a host callback that takes a whole batch at once.

  Args:
    model: from `load`.
    state: before.
    action: `[5]`, clipped to the action box; NaN counts as 0.
    engine: 'c' or 'mjx'.
  """
  if engine == "mjx":
    batch = jax.tree.map(lambda x: x[None], (state, action))
    return jax.tree.map(lambda x: x[0], step_mjx(model.fixtures, *batch))
  mocap, gripper = move_mocap(state.mocap, action, jnp), grip(action, jnp)
  function = functools.partial(c_engine.step, model.mj)
  like = (state.qpos, state.qvel, state.hand)
  args = (state.qpos, state.qvel, mocap, gripper)
  qpos, qvel, hand = c_engine.call(function, args, like)
  return episodes.SimState(qpos, qvel, mocap, hand)


def step_mjx(
  fixtures: jax.Array, state: episodes.SimState, action: jax.Array
) -> episodes.SimState:
  """Returns the states after one control step of MJX, batched.

  Args:
    fixtures: `[3, 3]`, `Model.fixtures`.
    state: `[B, ...]` before.
    action: `[B, 5]`.
  """
  mocap, gripper = move_mocap(state.mocap, action, jnp), grip(action, jnp)
  args = (state.qpos, state.qvel, mocap, gripper)
  qpos, qvel, hand = mjx_engine.step(fixtures, *args)
  return episodes.SimState(qpos, qvel, mocap, hand)


def step_c(
  model: Model, state: episodes.SimState, action: np.ndarray
) -> episodes.SimState:
  """Returns the states after one control step of C, on the host, float64.

  Args:
    model: from `load`.
    state: `[B, ...]` before, numpy.
    action: `[B, 5]`, numpy.
  """
  mocap, gripper = move_mocap(state.mocap, action), grip(action)
  args = (state.qpos, state.qvel, mocap, gripper)
  qpos, qvel, hand = c_engine.step(model.mj, *args)
  return episodes.SimState(qpos, qvel, mocap, hand)


def geom_poses(model: Model, qpos: jax.Array, geom_ids, *, engine: str):
  """Returns poses `[G, 3]`, `[G, 3, 3]` of `qpos` `[nq]`; pure."""
  if engine == "mjx":
    return geom_poses_mjx(model.fixtures, qpos, geom_ids)
  size = len(geom_ids)
  like = (jnp.zeros((size, 3)), jnp.zeros((size, 3, 3)))
  pose_fn = functools.partial(c_engine.geom_poses, model.mj, geom_ids=geom_ids)
  return c_engine.call(pose_fn, (qpos,), like)


def geom_poses_mjx(fixtures: jax.Array, qpos: jax.Array, geom_ids):
  """Returns the same with `fixtures` `[3, 3]`, `Model.fixtures`, as data."""
  return mjx_engine.geom_poses(fixtures, qpos, geom_ids)


def resolve(physics: str) -> str:
  """Returns the engine, 'c' or 'mjx', that `physics` stands for.

  Raises:
    ValueError: if `physics` is unknown.
  """
  checks.one_of("physics", physics, PHYSICS, error=ValueError)
  if physics == "auto":
    return "c" if jax.default_backend() == "cpu" else "mjx"
  return physics


def scale_actions(actions: jax.Array) -> jax.Array:
  """Scales actions `[..., 5]` to the unit box, clipped to it."""
  return jnp.clip(actions / ACTION_HIGH, -1.0, 1.0)


def move_mocap(mocap, action, xp=np):
  """Returns the mocap `[..., 3]` after `action` `[..., 5]`; NaN counts as 0."""
  low, high = xp.asarray(scene.HAND_LOW), xp.asarray(scene.HAND_HIGH)
  moved = mocap + _bounded(action[..., :3], xp) * ACTION_SCALE
  return xp.clip(moved, low, high).astype(mocap.dtype)


def grip(action, xp=np):
  """Returns the claws' target `[...]` that `action` `[..., 5]` asks for."""
  return _bounded(action[..., 4], xp)


def _bounded(action, xp):
  return xp.where(xp.isnan(action), 0.0, xp.clip(action, -1.0, 1.0))


def _place_objects(variant, data):
  """Puts the mug upright at its place, the drawer ajar, all else at rest."""
  data.qpos[scene.MUG] = (*variant.layout.mug, 0.0)
  data.qpos[scene.MUG_QUAT] = (1, 0, 0, 0)
  data.qpos[scene.DRAWER] = _START_DRAWER
  data.qpos[scene.BUTTON] = 0.0
  data.qpos[scene.FAUCET] = 0.0
  data.qvel[scene.MUG_SPEED.start :] = 0.0
