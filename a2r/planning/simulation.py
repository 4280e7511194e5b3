"""The simulator as dynamics: the true physics and pictures of a prediction.

With MJX a prediction is one program on the device. With C the candidates are
stepped side by side on all cores of the host, in a model without the shapes
that touch nothing (bit for bit the same motion), and their pictures drawn by
jitted programs of fixed size. Either way they are those of
`a2r.sim.behavior.clips`.

Letters as in `a2r.planning.base`.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.planning import base
from a2r.sim.tabletop import drawing, episodes, physics, scene
from a2r.sim.tabletop.engines import c_engine, kinematics

_POSES = 4096  # States whose hands are computed by one call.


def make_dynamics(
  environment: str, *, image_size: int, physics: str = "auto"
) -> base.Dynamics:
  """Returns the simulator of that environment as dynamics.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    image_size: S.
    physics: 'c', 'mjx' or 'auto': C where JAX's default device is a CPU, else
      MJX.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: unknown physics or a picture without pixels.
  """
  model = _load(environment)
  if image_size < 1:
    raise ValueError(f"image_size must be at least 1, got {image_size}")
  if _resolve(physics) == "c":
    predict_fn = _PredictC(environment, image_size)
    return base.Dynamics("sim", {}, predict_fn, image_size, on_host=True)
  params = {
    "fixtures": jnp.asarray(model.fixtures),
    "scenery": get_renderer(environment).scenery(image_size),
  }
  return base.Dynamics("sim", params, _PredictMjx(image_size), image_size)


_load, _resolve = physics.load, physics.resolve


@functools.cache
def get_renderer(environment: str) -> drawing.SceneRenderer:
  """What is drawn of that environment; its backdrops are drawn once."""
  model = physics.load(environment)
  return drawing.SceneRenderer(model.variant, model.mj)


def draw(environment: str, qpos: np.ndarray, image_size: int) -> np.ndarray:
  """Pictures uint8 `[..., S, S, 3]` of states `[..., nq]`, on the host."""
  model = physics.load(environment)
  renderer = get_renderer(environment)
  return drawing.draw_frames(renderer, model.mj, qpos, image_size=image_size)


def play_c(
  environment: str, state: episodes.SimState, actions: np.ndarray
) -> tuple[episodes.SimState, np.ndarray]:
  """Steps states side by side on the host.

  Args:
    environment: its name.
    state: `[M, ...]` numpy; `hand` is not read.
    actions: `[M, H, A]`.

  Returns:
    The last states, their `hand` computed by C, and joint positions
    `[M, H+1, nq]` float64, row 0 those of `state`.
  """
  model = _contact_model(environment)
  start = episodes.SimState(
    *(np.asarray(x, np.float64) for x in (state.qpos, state.qvel)),
    np.asarray(state.mocap, np.float32),
    None,
  )
  actions = np.asarray(actions)

  def step_fn(state, action):
    mocap = physics.move_mocap(state.mocap, action)
    claws = physics.grip(action)
    qpos, qvel = c_engine.advance(model, state.qpos, state.qvel, mocap, claws)
    return episodes.SimState(qpos, qvel, mocap, None)

  last, path, _ = episodes.unroll(
    step_fn,
    start,
    lambda _, index: actions[:, index],
    actions.shape[1],
    record_fn=lambda state: state.qpos,
    on_host=True,
  )
  return last.replace(hand=c_engine.hand_positions(model, last.qpos)), path


def low_dim_states(environment: str, path: np.ndarray) -> np.ndarray:
  """DVD's states float32 `[M, H+1, 13]` of joint positions `[M, H+1, nq]`.

  The hand's position is computed in float32 for many states at once and is
  right to a micrometer.
  """
  flat = np.float32(path.reshape(-1, path.shape[-1]))
  hands = np.empty((len(flat), 3), np.float32)
  places = np.float32(_contact_model(environment).body_pos)
  size = min(_POSES, 1 << (len(flat) - 1).bit_length())
  for start in range(0, len(flat), size):
    rows = np.arange(start, start + size).clip(max=len(flat) - 1)
    found = np.asarray(_hands(places, flat[rows]))
    hands[start : start + size] = found[: len(flat) - start]
  states = np.concatenate([hands, flat[:, scene.MUG.start :]], axis=1)
  return states.reshape(*path.shape[:-1], episodes.LOW_DIM_SIZE)


@dataclasses.dataclass(frozen=True)
class _PredictC:
  """Predicts with C MuJoCo; not traceable."""

  environment: str
  image_size: int

  def __call__(self, params, rows, actions, timing, keys) -> base.Future:
    del params, keys
    _, path = play_c(self.environment, rows.sim, actions)
    seen = path[:, np.asarray(timing.offsets)]
    frames = draw(self.environment, seen, self.image_size)
    return base.Future(
      states=low_dim_states(self.environment, path), frames=frames
    )


@dataclasses.dataclass(frozen=True)
class _PredictMjx:
  """Predicts with MJX; pure JAX."""

  image_size: int

  def __call__(self, params, rows, actions, timing, keys) -> base.Future:
    del keys
    fixtures = params["fixtures"]
    _, path, states = physics.play_mjx(fixtures, rows.sim, actions)
    size = (self.image_size, self.image_size, 3)
    if not timing.offsets.shape[0]:
      frames = jnp.zeros((len(actions), 0, *size), jnp.uint8)
      return base.Future(states, frames)
    seen = path[:, timing.offsets]
    flat = seen.reshape(-1, seen.shape[-1])
    ids = drawing.visible_geoms().moving
    poses = jax.vmap(lambda q: physics.geom_poses_mjx(fixtures, q, ids))(flat)
    frames = drawing.draw_many(
      params["scenery"], *poses, image_size=self.image_size
    )
    return base.Future(states, frames.reshape(*seen.shape[:2], *size))


@functools.cache
def _contact_model(environment: str) -> mujoco.MjModel:
  """The environment without the shapes that touch nothing."""
  placed, model = physics.load(environment).mj, scene.make_contact_model()
  for name in scene.FIXTURES:
    model.body(name).pos[:] = placed.body(name).pos
  return model


@functools.cache
def _tree() -> kinematics.Tree:
  return kinematics.make_tree(scene.make_contact_model())


@jax.jit
def _hands(places, qpos):
  tree = _tree()
  hand = tree.model.body("hand").id

  def one(qpos):
    poses = kinematics.body_poses(tree, places, qpos, jnp.zeros(3))
    return poses.position[hand]

  return jax.vmap(one)(qpos)
