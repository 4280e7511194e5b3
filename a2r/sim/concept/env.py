"""Concept2Robot's table as a Brax environment: an episode is one step.

An action `[350]` is a whole motion (`a2r.sim.concept.physics`). The reward is 1
for a success, or the one made by hand (`a2r.sim.concept.outcomes`). What is
observed are the poses `[57]` of the flange and of up to six things, and the
gripper's command; a policy as the paper's sees pictures instead: `render` and
`draw`.

Letters: B episodes, T control steps, F pictures, H W image.
"""

import contextlib
import dataclasses
import io
from collections.abc import Callable
from concurrent import futures

import flax
import jax
import jax.numpy as jnp
import numpy as np

# It prints that Warp is absent.
with contextlib.redirect_stdout(io.StringIO()):
  from brax.envs import base

from a2r.core import checks
from a2r.sim.concept import distractors as distractors_lib
from a2r.sim.concept import drawing, margins, outcomes, views
from a2r.sim.concept import physics as physics_lib
from a2r.sim.concept import scene as scene_lib
from a2r.sim.concept import tasks as tasks_lib

PREFIX = "concept/"
REWARDS = ("sparse", "manual")
_PART = 128  # Episodes, at most, that C plays in one piece.
OBSERVATION_SIZE = (scene_lib.MAX_THINGS + 1) * 8 + 1


@flax.struct.dataclass
class Played:
  """What B episodes leave behind; what nobody asked for is None.

  Attributes:
    actions: `[B, 350]` in [-1, 1].
    qpos: `[B, T+1, nq]` joint positions of the scene's model.
    success: bool `[B]`.
    length: int `[B]` control steps until the episode's end.
    reward: `[B]`, as the environment gives it.
    frames: uint8 `[B, F, H, W, 3]`; after its end an episode stands still.
  """

  actions: np.ndarray
  qpos: np.ndarray
  success: np.ndarray
  length: np.ndarray
  reward: np.ndarray
  frames: np.ndarray | None = None


class Concept(base.Env):
  """One task; `reset` and `step` are pure, the physics a call on the host.

  `State.pipeline_state` is a `scene.Start`. `State.metrics` has `success` and
  `length`.

  Attributes:
    task: what is rewarded.
    reward: 'sparse' or 'manual'.
    view: where it is seen from.
  """

  def __init__(
    self, task: tasks_lib.Task, *, reward: str, view: str, engine: str
  ):
    self.task, self.reward, self.view = task, reward, view
    self._engine = engine

  def reset(self, rng: jax.Array) -> base.State:
    """Returns a start, drawn from `rng`, consumed."""
    draws = jax.random.uniform(rng, (1, *scene_lib.DRAWS), minval=-1.0)
    scene = self.task.scene
    start = scene_lib.place(scene, draws)
    if scene.distractors:
      tried = distractors_lib.draws_shape(scene)
      draws = jax.random.uniform(
        jax.random.fold_in(rng, 1), (1, *tried), minval=-1.0
      )
      start = self._with_distractors(start, draws)
    start = jax.tree.map(lambda x: x[0], start)
    zero = jnp.zeros(())
    return base.State(
      pipeline_state=start,
      obs=self.observe(jax.tree.map(lambda x: x[None], start))[0],
      reward=zero,
      done=zero,
      metrics={"success": zero, "length": zero},
    )

  def _with_distractors(self, start, draws):
    """Adds distractors to starts; batched it is one call on the host."""
    scene = self.task.scene

    def place(start, draws):
      lead = draws.shape[:-4]
      start, draws = jax.tree.map(
        lambda x: np.asarray(x).reshape(-1, *x.shape[len(lead) + 1 :]),
        (start, draws),
      )
      poses = distractors_lib.place(scene, start, draws)
      return poses.reshape(*lead, -1, *poses.shape[1:])

    shape = jax.ShapeDtypeStruct((*draws.shape[:2], 7), jnp.float32)
    poses = jax.pure_callback(
      place, shape, start, draws, vmap_method="broadcast_all"
    )
    return start._replace(distractors=poses)

  def observe(self, start: scene_lib.Start) -> jax.Array:
    """Returns observations `[B, 57]` of starts: poses, joints, the gripper."""
    poses = (start.positions, start.quats, start.joints[..., None])
    poses = jnp.concatenate(poses, axis=-1).reshape(len(start.arm), -1)
    grip = self.task.scene.hand.grip / scene_lib.CLOSED
    return jnp.pad(poses, ((0, 0), (0, 1)), constant_values=grip)

  def step(self, state: base.State, action: jax.Array) -> base.State:
    """Plays an episode; batched by `jax.vmap` it is one call of the physics.

    Args:
      state: a start.
      action: `[350]`, clipped to [-1, 1].
    """
    shapes = [jax.ShapeDtypeStruct((), jnp.float32)] * 3
    reward, success, length = jax.pure_callback(
      self._step,
      shapes,
      state.pipeline_state,
      action,
      vmap_method="broadcast_all",
    )
    metrics = {"success": success, "length": length}
    return state.replace(
      reward=reward, done=jnp.ones(()), metrics=state.metrics | metrics
    )

  def _step(self, start, action):
    lead = np.shape(action)[:-1]
    start, action = jax.tree.map(
      lambda x: np.asarray(x).reshape(-1, *np.shape(x)[len(lead) :]),
      (start, action),
    )
    played = self.play(start, action)
    values = played.reward, played.success, played.length
    return [np.float32(value).reshape(lead) for value in values]

  def play(
    self,
    start: scene_lib.Start,
    actions: np.ndarray,
    *,
    frames_at: np.ndarray | None = None,
    height: int = drawing.HEIGHT,
    width: int = drawing.WIDTH,
  ) -> Played:
    """Plays B episodes on the host.

    Args:
      start: of B episodes, arrays `[B, ...]`.
      actions: `[B, 350]`, clipped to [-1, 1].
      frames_at: control steps `[F]` to draw, 0 to 49; none are drawn without.
      height: H.
      width: W.

    Raises:
      ValueError: actions of another shape, or not finite; no such step.
    """
    actions = physics_lib.check_actions(actions, len(start.arm))
    checks.at_least("episodes", len(actions), 1)
    for step in () if frames_at is None else np.ravel(frames_at):
      checks.count("frames_at", step, 0, physics_lib.NUM_STEPS)

    def play(rows):
      part = jax.tree.map(lambda x: np.asarray(x)[rows], start)
      return self._play(part, actions[rows], frames_at, height, width)

    num_parts = -(-len(actions) // _PART) if self._engine == "c" else 1
    first, *others = np.array_split(np.arange(len(actions)), num_parts)
    played = [play(first)]  # Alone: it compiles what is missing.
    # While the physics of one part runs, another one is judged and drawn.
    with futures.ThreadPoolExecutor(2) as pool:
      played += pool.map(play, others)
    return jax.tree.map(lambda *x: np.concatenate(x), *played)

  def _play(self, start, actions, frames_at, height, width):
    scene = self.task.scene
    episode = physics_lib.play(scene, start, actions, engine=self._engine)
    record = margins.Record(scene, episode)
    outcome = outcomes.judge(self.task, record)
    reward = outcome.reward
    if self.reward == "sparse":
      reward = outcome.success.astype(np.float32)
    frames = None
    if frames_at is not None:
      at = np.minimum(np.asarray(frames_at), outcome.length[:, None])
      frames = self._draw(record, at, height, width)
    qpos, actions = np.float32(record.episode.qpos), np.clip(actions, -1, 1)
    return Played(
      actions, qpos, outcome.success, outcome.length, reward, frames
    )

  def _draw(self, record, steps, height, width):
    """Draws control steps `[B, F]`, one that is asked for often only once."""
    rows = np.broadcast_to(np.arange(len(steps))[:, None], steps.shape)
    flat = np.stack([rows.ravel(), steps.ravel()])
    distinct, numbers = np.unique(flat, axis=1, return_inverse=True)
    images = drawing.draw(
      self.task.scene,
      record.geom_position[*distinct],
      record.geom_rotation[*distinct],
      view=self.view,
      height=height,
      width=width,
    )
    return images[numbers].reshape(*steps.shape, *images.shape[1:])

  def draw(
    self,
    start: scene_lib.Start,
    height: int = drawing.HEIGHT,
    width: int = drawing.WIDTH,
  ) -> np.ndarray:
    """Draws starts `[B, ...]`, uint8 `[B, H, W, 3]`."""
    qpos = scene_lib.initial_qpos(self.task.scene, start)[:, None]
    return self.draw_states(start, qpos, height, width)[:, 0]

  def draw_states(
    self,
    start: scene_lib.Start,
    qpos: np.ndarray,
    height: int = drawing.HEIGHT,
    width: int = drawing.WIDTH,
  ) -> np.ndarray:
    """Draws states of episodes.

    Args:
      start: of B episodes.
      qpos: `[B, F, nq]` as `Played` has them.
      height: H.
      width: W.

    Returns:
      uint8 `[B, F, H, W, 3]`.
    """
    scene = self.task.scene
    record = margins.Record(scene, physics_lib.at_states(scene, start, qpos))
    steps = np.tile(np.arange(qpos.shape[1]), (len(qpos), 1))
    return self._draw(record, steps, height, width)

  def render(self, state: base.State) -> np.ndarray:
    """Draws the start of an unbatched state, uint8 `[120, 160, 3]`."""
    return self.draw(jax.tree.map(lambda x: x[None], state.pipeline_state))[0]

  @property
  def observation_size(self) -> int:
    """Length of the observation."""
    return OBSERVATION_SIZE

  @property
  def action_size(self) -> int:
    """Length of an action."""
    return physics_lib.ACTION_SIZE

  @property
  def backend(self) -> str:
    """The physics engine, 'c' or 'mjx'."""
    return self._engine


def make(
  name: str,
  *,
  reward: str = "sparse",
  view: str = "first",
  distractors: int = 0,
  physics: str = "auto",
) -> Concept:
  """Returns the environment of a task.

  Args:
    name: 'concept/' and a task's number or name.
    reward: 'sparse' or 'manual'.
    view: one of `views.VIEWS`.
    distractors: how many things stand around that the task is not about.
    physics: 'c', 'mjx', which has no room for distractors, or 'auto': C on a
      CPU or with distractors, else MJX.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: another argument that makes no sense, or more distractors than
      `distractors.MAX_DISTRACTORS`.
  """
  task = tasks_lib.get(name.removeprefix(PREFIX))
  checks.one_of("reward", reward, REWARDS)
  views.make_camera(view)
  scene = distractors_lib.add(task.scene, distractors)
  task = dataclasses.replace(task, scene=scene)
  if distractors:
    checks.one_of("physics with distractors", physics, ("auto", "c"))
    physics = "c"
  engine = physics_lib.resolve(physics)
  return Concept(task, reward=reward, view=view, engine=engine)


def rollout(
  env: Concept,
  policy: Callable[[jax.Array, jax.Array], jax.Array],
  rng: jax.Array,
  num_envs: int,
  *,
  pixels_every: int = 0,
) -> Played:
  """Plays B episodes of a policy; episode n depends on `rng` and n alone.

  Args:
    env: from `make`.
    policy: (rng, observation `[57]`) to an action `[350]`, unbatched and pure.
    rng: a typed key; consumed.
    num_envs: B.
    pixels_every: n, for frames of control steps 0, n, 2n, ...; 0 for none.

  Raises:
    ValueError: a number that makes no sense.
  """
  checks.at_least("num_envs", num_envs, 1)
  checks.at_least("pixels_every", pixels_every, 0)
  rngs = _split(rng, jnp.arange(num_envs))
  state = jax.vmap(env.reset)(rngs[:, 0])
  actions = jax.vmap(policy)(rngs[:, 1], state.obs)
  steps = None
  if pixels_every:
    steps = np.arange(0, physics_lib.NUM_STEPS + 1, pixels_every)
  return env.play(state.pipeline_state, np.asarray(actions), frames_at=steps)


@jax.jit
def _split(rng, numbers):
  fold = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
  return jax.vmap(jax.random.split)(fold(rng, numbers))
