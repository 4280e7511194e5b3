"""What the parts of the planner say to each other.

A plan is the best of many candidate action sequences. A *dynamics* predicts
what each of them leads to, an *objective* says what that is worth, a *sampler*
(`a2r.planning.samplers`) draws the candidates; none knows the others. All are
pure functions and the arrays that they read, so that one compiled program
serves all trials, plans, tasks and runs of equal shapes.

Letters: E environments (trials), N candidates of each, M rows (candidates of
any environments, side by side), H steps that a plan looks ahead, A = 5 action
size, T frames of the reward's clip, R pictures of a prediction, S picture side
in pixels.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from a2r.sim.tabletop import episodes, physics

PyTree = Any
NUM_STATES = physics.NUM_STEPS + 1  # Of an episode, the start included.


class PlanState(NamedTuple):
  """What is known when a plan is made; every leaf is `[E, ...]`, or `[M, ...]`.

  Rows are environments when a plan is asked for; what a dynamics and an
  objective see has one row per candidate.

  Attributes:
    sim: the simulator's state now.
    states: `[E, 61, 13]` DVD's state so far; rows after now copy the last.
    clip: uint8 `[E, T, S, S, 3]` the clip's pictures that were taken already,
      each in its place; the places after now hold copies of the picture now.
      T is 0 where the objective looks at no pictures.
    context: uint8 `[E, 2, S, S, 3]` the pictures `Dynamics.stride` steps ago
      and now (the start, where it is later); `[E, 0, S, S, 3]` where the
      dynamics needs none. A dynamics with a `prepare_fn` sees what that
      made of it.
    past: `[E, Dynamics.stride, 5]` the actions executed between these two
      pictures; zeros before the start.
  """

  sim: episodes.SimState
  states: jax.Array
  clip: jax.Array
  context: PyTree
  past: jax.Array


class Timing(NamedTuple):
  """When the plan is made and which pictures it needs; data, never static.

  Attributes:
    step: `[]` int32, timesteps executed so far.
    offsets: `[R]` int32 ascending, from 1 to H: a prediction has pictures of
      the states that many steps from now.
    source: `[T]` int32: what goes into each place of the clip, a place of
      `PlanState.clip` (below T), or T + r for the prediction's picture r.
  """

  step: jax.Array
  offsets: jax.Array
  source: jax.Array


class Future(NamedTuple):
  """What a dynamics predicts.

  Attributes:
    states: `[M, H+1, 13]` DVD's state, row 0 is now; None from a video model.
    frames: uint8 `[M, R, S, S, 3]`; R is 0 where no picture is asked for.
  """

  states: jax.Array | None
  frames: jax.Array


class Dynamics(NamedTuple):
  """Predicts what actions lead to.

  Attributes:
    name: 'sim', 'fitvid', ...
    params: all arrays that `predict_fn` reads.
    predict_fn: (params, rows of PlanState `[M]`, actions `[M, H, A]`, Timing,
      keys `[M]`) to a Future. Row m reads key m alone. It must compare equal
      for equal dynamics (a frozen dataclass with `__call__`, or a cached
      maker's result): programs are compiled once for each.
    image_size: S, of its pictures and of those in a PlanState.
    on_host: `predict_fn` takes and returns numpy arrays and cannot be traced;
      else it is pure JAX.
    stride: steps between the two pictures of `PlanState.context`; 0 for none.
    has_states: whether a Future has `states`.
    prepare_fn: (params, PlanState `[E]`) to a tree of arrays `[E, ...]` that
      takes the place of `PlanState.context`, made once per environment and
      plan instead of once per candidate. Pure JAX, and equal for equal
      dynamics as `predict_fn` is. None: the pictures are left.
  """

  name: str
  params: PyTree
  predict_fn: Callable[..., Future]
  image_size: int
  on_host: bool = False
  stride: int = 0
  has_states: bool = True
  prepare_fn: Callable[..., PyTree] | None = None


class Objective(NamedTuple):
  """Says what predicted futures are worth.

  Attributes:
    name: 'ground_truth' or the reward's.
    params: all arrays that `value_fn` reads.
    value_fn: (params, rows of PlanState `[M]`, Future, Timing, task `[M]`
      int32, an index in `sim.TASKS`) to `[M]` float32, higher is better; pure
      JAX. It must compare equal for equal objectives, see `Dynamics`.
    num_frames: T; 0 where it looks at no pictures.
    tasks: indices in `sim.TASKS` that it can judge; None for all.
    needs_states: whether it needs a Future with `states`.
  """

  name: str
  params: PyTree
  value_fn: Callable[..., jax.Array]
  num_frames: int = 0
  tasks: tuple[int, ...] | None = None
  needs_states: bool = False


class Plan(NamedTuple):
  """What was decided.

  Attributes:
    actions: `[E, H, A]`.
    value: `[E]` what the objective expects of them.
    index: `[E]` the best candidate's place in `values`.
    values: `[E, num_iterations * N]` of all candidates, in order of drawing.
  """

  actions: jax.Array
  value: jax.Array
  index: jax.Array
  values: jax.Array
