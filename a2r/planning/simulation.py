"""The simulator as dynamics: the true physics and pictures of a prediction.

With MJX a prediction is one program on the device. With C the candidates are
stepped side by side on all cores of the host, in a model without the shapes
that touch nothing (bit for bit the same motion), and their pictures drawn by
jitted programs of fixed size. Either way they are those of
`a2r.sim.behavior.clips`.

Letters as in `a2r.planning.base`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import batching, checks
from a2r.planning import base
from a2r.sim.tabletop import drawing, episodes, scene
from a2r.sim.tabletop import physics as physics_lib
from a2r.sim.tabletop.engines import c_engine, kinematics

# States whose hands are computed by one call.
_CHUNKS = tuple(2**power for power in range(13))


def make_dynamics(
  environment: str, *, image_size: int, physics: str = "auto"
) -> base.Dynamics:
  """Returns the simulator of that environment as dynamics.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    image_size: S.
    physics: as in `sim.make`.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: unknown physics or a picture without pixels.
  """
  model = physics_lib.load(environment)
  checks.count("image_size", image_size, 1, checks.MAX_PIXELS)
  if physics_lib.resolve(physics) == "c":
    predict_fn = functools.partial(_predict_c, model, image_size)
    return base.Dynamics("sim", {}, predict_fn, image_size, on_host=True)
  params = {
    "fixtures": jnp.asarray(model.fixtures),
    "scenery": drawing.make_scenery(model, image_size, 1),
  }
  return base.Dynamics("sim", params, _predict_mjx, image_size)


def play_c(
  model: physics_lib.Model, state: episodes.SimState, actions: np.ndarray
) -> np.ndarray:
  """Steps states side by side on the host.

  Args:
    model: the environment.
    state: `[M, ...]` numpy; `hand` is not read.
    actions: `[M, H, A]`.

  Returns:
    Joint positions `[M, H+1, nq]` float64, row 0 those of `state`.
  """
  qpos, qvel = np.float64(state.qpos), np.float64(state.qvel)
  mocap, path = np.float32(state.mocap), [qpos]
  for action in np.moveaxis(np.asarray(actions), 1, 0):
    mocap = physics_lib.move_mocap(mocap, action)
    claws = physics_lib.grip(action)
    qpos, qvel = c_engine.advance(model.contact, qpos, qvel, mocap, claws)
    path.append(qpos)
  return np.stack(path, axis=1)


def low_dim_states(model: physics_lib.Model, path: np.ndarray) -> np.ndarray:
  """DVD's states float32 `[M, H+1, 13]` of joint positions `[M, H+1, nq]`.

  The hand's position is computed in float32 for many states at once and is
  right to a micrometer.
  """
  flat = np.float32(path.reshape(-1, path.shape[-1]))
  hands_fn = functools.partial(_hands, np.float32(model.contact.body_pos))
  hands = batching.map_chunks(hands_fn, _CHUNKS, flat)
  states = np.concatenate([hands, flat[:, scene.MUG.start :]], axis=1)
  return states.reshape(*path.shape[:-1], episodes.LOW_DIM_SIZE)


def _predict_c(model, image_size, params, rows, actions, timing, keys):
  """Predicts with C MuJoCo; not traceable."""
  del params, keys
  path = play_c(model, rows.sim, actions)
  seen = path[:, np.asarray(timing.offsets)]
  frames = drawing.draw_frames(model, seen, image_size=image_size)
  return base.Future(low_dim_states(model, path), frames)


def _predict_mjx(params, rows, actions, timing, keys) -> base.Future:
  """Predicts with MJX; pure JAX."""
  del keys
  fixtures, scenery = params["fixtures"], params["scenery"]
  _, path, states = physics_lib.play_mjx(fixtures, rows.sim, actions)
  size = (scenery.image_size, scenery.image_size, 3)
  if not timing.offsets.shape[0]:
    return base.Future(states, jnp.zeros((len(actions), 0, *size), jnp.uint8))
  seen = path[:, timing.offsets]
  flat = seen.reshape(-1, seen.shape[-1])
  frames = drawing.draw_mjx(scenery, fixtures, flat)
  return base.Future(states, frames.reshape(*seen.shape[:2], *size))


@jax.jit
def _hands(places, qpos):
  tree = kinematics.make_tree(scene.make_contact_model())
  poses = jax.vmap(
    lambda qpos: kinematics.body_poses(tree, places, qpos, jnp.zeros(3))
  )(qpos)
  return poses.position[:, tree.model.body("hand").id]
