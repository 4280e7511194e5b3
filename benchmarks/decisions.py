"""Which candidate would a reward choose? Planning's decisions, made once.

  python -m benchmarks.decisions --runs=runs/envgen,runs/other \\
    [--environments=tabletop/train,tabletop/test2] [--data=runs/decisions]

A decision is what a planner faces: an episode so far, 100 candidates of 20
steps, and what each of them leads to. It is the first, second or third plan of
an episode; before a later one the true state's best of 1, 5 or 100 candidates
was executed each time, so that good and bad pasts are there. Those alone are
kept where some candidates are a success if the episode ends there, and some are
not. Each environment has decisions of its own. What was made is kept under
--data, and every reward chooses among the same candidates.

Prints, by run and environment, the share of decisions whose chosen candidate is
a success (`done`), and how much of the way from the mean candidate to the best
by the true state the chosen one gets (`gain`), for each of the three plans and
in all, with 95 % intervals over decisions. An Adapt2Reward run has a row for
each form of the reward. Beside them stand the success rates of planning trials
that the runs have (launch.plan --trials), and over all rows with trials the
correlation of either with them.
"""

import functools
import itertools
import pathlib
from typing import NamedTuple

import jax
import numpy as np
from absl import app, flags, logging
from scipy import stats

from a2r import sim
from a2r.core import compilation, files
from a2r.planning import (
  acting,
  base,
  config,
  objectives,
  samplers,
  simulation,
  timing,
)
from a2r.runs import players, trials
from a2r.sim.tabletop import drawing, episodes, physics, tasks
from benchmarks import play_clips

_RUNS = flags.DEFINE_list("runs", None, "Run folders.", required=True)
_ENVIRONMENTS = flags.DEFINE_list("environments", ["all"], "Their names.")
_DATA = flags.DEFINE_string("data", "runs/decisions", "Where they are kept.")
_NUMBER = flags.DEFINE_integer("number", 6, "Of each task and plan.", 1)

_SETTINGS = config.PlannerConfig()
_FRAMES, _SIZE = 8, 64
_PASTS = (1, 5, 100)  # Candidates of the plans before, of which the best went.
_RESAMPLES = 1000
_MOST_SEEDS = 10  # Of planning trials.
_MOST_TRIES = 8  # Decisions made for each that is kept.


class Decisions(NamedTuple):
  """D decisions among N candidates, in one environment.

  Attributes:
    task: `[D]` str, names of `sim.TASKS`.
    plan: `[D]` int, 0 to 2.
    taken: uint8 `[D, T, S, S, 3]` the clip's pictures so far, as in
      `planning.base.PlanState`.
    frames: uint8 `[D, N, R, S, S, 3]` those of each candidate.
    source: int32 `[D, T]` as in `planning.base.Timing`.
    success: bool `[D, N]`, if the episode ends after the candidate.
    value: float32 `[D, N]` of the true state (`objectives.ground_truth`).
  """

  task: np.ndarray
  plan: np.ndarray
  taken: np.ndarray
  frames: np.ndarray
  source: np.ndarray
  success: np.ndarray
  value: np.ndarray

  def clips(self, row: int) -> np.ndarray:
    """Returns the clips of a decision's candidates, `[N, T, S, S, 3]`."""
    frames = self.frames[row]
    taken = np.broadcast_to(
      self.taken[row], (len(frames), *self.taken[row].shape)
    )
    return np.concatenate([taken, frames], axis=1)[:, self.source[row]]


def make(environment: str, number: int) -> Decisions:
  """Makes `number` decisions of each target task and plan; by seeds alone.

  Fewer where so many tries find no more that are to be kept.
  """
  dynamics = simulation.make_dynamics(
    environment, image_size=_SIZE, physics="c"
  )
  truth = objectives.ground_truth(environment)
  tries = _MOST_TRIES * number
  sizes = len(sim.ENVIRONMENTS), _SETTINGS.num_plans, len(tasks.TARGETS), tries

  def decide(plan, task):
    place = sim.ENVIRONMENTS.index(environment), plan, tasks.TARGETS.index(task)
    for index in range(tries):
      most = _PASTS[index % len(_PASTS)]
      seed = int(np.ravel_multi_index((*place, index), sizes))
      state = _past(environment, task, seed, plan, most, dynamics, truth)
      row = Decisions(*_decide(dynamics, truth, task, plan, seed, state))
      if row.success.any() and not row.success.all():
        yield row

  rows = [
    row
    for plan in range(_SETTINGS.num_plans)
    for task in tasks.TARGETS
    for row in itertools.islice(decide(plan, task), number)
  ]
  return Decisions(*(np.array(column) for column in zip(*rows, strict=True)))


def _past(environment, task, seed, plan, most, dynamics, truth):
  """An episode after some plans, a `PlanState` of one row."""
  model = physics.load(environment)
  start = episodes.tile(model.start(), 1)
  path, states = (
    np.repeat(x[:, None], base.NUM_STATES, axis=1)
    for x in (start.qpos, episodes.low_dim_state(start))
  )
  if plan:
    settings = config.PlannerConfig(num_samples=most, num_plans=plan)
    played = acting.run(
      environment, [task], [seed], dynamics, truth, settings, physics="c"
    )
    start, *_ = physics.play_c(model, start, played.actions)
    path, states = played.qpos, played.states
  times = np.minimum(timing.stored(_FRAMES), plan * _SETTINGS.horizon)
  taken = drawing.draw_frames(model, path[:, times], image_size=_SIZE)
  return base.PlanState(start, states, taken, context=None, past=None)


def _decide(dynamics, truth, task, plan, seed, state):
  """One row of `Decisions`."""
  times = timing.make(_SETTINGS, _FRAMES, plan * _SETTINGS.horizon)
  rng = jax.random.fold_in(jax.random.key(seed), plan)
  actions = _draw(rng)
  rows = jax.tree.map(lambda x: np.repeat(x, len(actions), axis=0), state)
  future = dynamics.predict_fn(
    dynamics.params, rows, np.asarray(actions), times, None
  )
  index = list(tasks.TASKS).index(task)
  value, success = _judge(
    truth.value_fn, truth.params, rows._replace(sim=None), future, times, index
  )
  return (
    *(task, plan, state.clip[0], np.asarray(future.frames), times.source),
    *(np.asarray(success), np.asarray(value)),
  )


@jax.jit
def _draw(rng):
  """Candidates `[N, H, A]`."""
  drawn = samplers.sample(_SETTINGS, samplers.init(_SETTINGS), rng)
  return samplers.hold(_SETTINGS, drawn)


@functools.partial(jax.jit, static_argnums=0)
def _judge(value_fn, params, rows, future, times, index):
  """Values and successes `[N]`."""
  task = jax.numpy.full(len(future.states), index)
  value = value_fn(params, rows, future, times, task)
  states = objectives.episode_states(rows, future, times)
  return value, tasks.outcomes_many(states)[:, index]


def read(environment: str, number: int, folder: pathlib.Path) -> Decisions:
  """Returns the decisions of an environment, made where they are missing."""
  path = folder / f"{environment.replace('/', '-')}-{number}.npz"
  if not path.exists():
    folder.mkdir(parents=True, exist_ok=True)
    made = make(environment, number)
    with files.atomic_write(path) as part, part.open("wb") as stream:
      np.savez_compressed(stream, **made._asdict())
  with np.load(path) as stored:
    return Decisions(**stored)


def measure(decisions: Decisions, scores: np.ndarray) -> dict[str, np.ndarray]:
  """Returns figures of each decision; NaN where all candidates are equal.

  Args:
    decisions: D of them.
    scores: `[D, N]` finite; the highest is chosen, the first among equals.

  Returns:
    `done` and `gain`, each `[D]`.
  """
  rows, chosen = np.arange(len(scores)), scores.argmax(axis=1)
  success, value = decisions.success, decisions.value
  mean, best = value.mean(axis=1), value.max(axis=1)
  with np.errstate(invalid="ignore", divide="ignore"):
    gain = (value[rows, chosen] - mean) / (best - mean)
  return {
    "done": success[rows, chosen].astype(float),
    "gain": np.where(best > mean, gain, np.nan),
  }


def interval(values: np.ndarray) -> np.ndarray:
  """Returns the 95 % interval `[2]` of a mean; decisions are drawn anew."""
  values = values[~np.isnan(values)]
  draw = np.random.default_rng(0)
  rows = draw.integers(len(values), size=(_RESAMPLES, len(values)))
  return np.percentile(values[rows].mean(axis=1), (2.5, 97.5))


def _scores(run, decisions):
  """Per row's name, `[D, N]` scores of the candidates."""
  if run in ("random", "ground_truth"):
    draw = np.random.default_rng(0).random(decisions.value.shape)
    return {run: draw if run == "random" else decisions.value}
  found = {}
  for task in dict.fromkeys(decisions.task.tolist()):
    rows = np.flatnonzero(decisions.task == task)
    clips = np.concatenate([decisions.clips(row) for row in rows])
    texts = [tasks.get(task).instruction]
    for name, values in play_clips.scores(run, clips, texts).items():
      whole = found.setdefault(name, np.zeros(decisions.value.shape))
      whole[rows] = values[:, 0].reshape(len(rows), -1)
  return found


def _trials(run, environment):
  """The share of successes of a run's planning trials, NaN without any."""
  folder = pathlib.Path(run)
  if not (folder / "checkpoints").is_dir():
    folder = pathlib.Path("runs", f"plan_{folder.name}")
  spec = trials.TrialSpec(
    player=players.make_player(run, _SETTINGS, tasks.TARGETS),
    environments=(environment,),
    tasks=tasks.TARGETS,
    seeds=tuple(range(_MOST_SEEDS)),
    num_trials=1,
  )
  counts = trials.open_store(folder / "plan", spec).counts(spec)
  played = sum(x["num_trials"] for x in counts)
  return sum(x["num_successes"] for x in counts) / played if played else np.nan


def _cell(decisions, figure, values):
  """A figure by plan, and in all with its interval."""
  by_plan = [
    f"{np.nanmean(values[decisions.plan == plan]):.2f}"
    for plan in range(_SETTINGS.num_plans)
  ]
  low, high = interval(values)
  mean = np.nanmean(values)
  return f"{figure} {' '.join(by_plan)}  {mean:.2f} [{low:.2f}, {high:.2f}]"


def main(_):
  """Prints all rows."""
  logging.set_verbosity(logging.ERROR)
  compilation.enable_cache()
  names = _ENVIRONMENTS.value
  pairs = {"done": [], "gain": []}
  for environment in sim.ENVIRONMENTS if names == ["all"] else names:
    decisions = read(environment, _NUMBER.value, pathlib.Path(_DATA.value))
    print(f"{environment}: {len(decisions.task)} decisions")
    for run in _RUNS.value:
      rate = _trials(run, environment)
      for name, scores in _scores(run, decisions).items():
        figures = measure(decisions, scores)
        cells = [_cell(decisions, *figure) for figure in figures.items()]
        if not np.isnan(rate) and (name == run or name.endswith("*")):
          for figure, values in figures.items():
            pairs[figure].append((np.nanmean(values), rate))
        print(f"{name:40}", *cells, f"trials {rate:.2f}", sep="   ")
  for figure, values in pairs.items():
    if len(values) > 2:
      rank = stats.spearmanr(*np.transpose(values))
      print(
        f"{figure}: Spearman's correlation with trials {rank.statistic:.2f} "
        f"(p {rank.pvalue:.2g}, {len(values)} rows of runs and environments)"
      )


if __name__ == "__main__":
  app.run(main)
