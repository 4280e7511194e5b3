"""Who plans: a run's reward, the true state, or nobody.

What a run is called on the command line, and what trials happen in.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r import sim
from a2r.core import checkpoint as checkpoint_lib
from a2r.core import checks, files
from a2r.learners import dvd, registry
from a2r.models import saved as saved_lib
from a2r.models import scorer as scorer_lib
from a2r.planning import base, config, objectives, simulation

SPECIAL = ("random", "clock", "ground_truth")
_BLIND_SIZE = 64  # Of pictures that nobody looks at.


class Player(NamedTuple):
  """Who chooses the actions.

  Attributes:
    name: of the method, such as 'dvd' or 'random'.
    make_objective: environment to what futures are worth; None: it acts at
      random.
    settings: how it plans.
    image_size: of the pictures that it looks at.
    identity: plain values that tell it from others of its name.
  """

  name: str
  make_objective: Callable[[str], base.Objective] | None
  settings: config.PlannerConfig
  image_size: int = _BLIND_SIZE
  identity: Any = None


class DynamicsSpec(NamedTuple):
  """What trials happen in and are predicted by.

  Attributes:
    dynamics: 'sim' or 'fitvid'.
    physics: 'auto', 'c' or 'mjx'.
    fitvid: run folders of video models; the first that was trained in an
      environment predicts there.
  """

  dynamics: str = "sim"
  physics: str = "auto"
  fitvid: tuple[str, ...] = ()

  def make_dynamics(self, environment: str, image_size: int) -> base.Dynamics:
    """What predicts in an environment."""
    if self.dynamics == "sim":
      return simulation.make_dynamics(
        environment, image_size=image_size, physics=self.physics
      )
    from a2r.planning import video_model

    return video_model.load(
      self.find_video_model(environment), environment=environment
    )

  def find_video_model(self, environment: str) -> pathlib.Path:
    """The run folder of the video model of an environment.

    Raises:
      ValueError: there is none; lists what there is.
      FileNotFoundError: one of the folders is not a run.
    """
    known = []
    for folder in map(checks.path, self.fitvid):
      settings = saved_lib.read_file(folder, "config.json")
      trained = settings["data"].get("environment", "")
      if environment in str(trained).split(","):
        return folder
      known.append(f"{folder} of {trained}")
    raise ValueError(
      f"no video model of {environment}; known: {', '.join(known) or 'none'}"
    )

  def identity(self) -> list[str]:
    """What tells the video models from others: their sizes and weights."""
    digests = []
    for folder in map(checks.path, self.fitvid):
      saved = (folder / checkpoint_lib.FOLDER).iterdir()
      times = sorted((path.name, path.stat().st_mtime_ns) for path in saved)
      digests.append(_digest_video_model(folder, tuple(times)))
    return digests


def make_player(
  run: str,
  settings: config.PlannerConfig,
  task_names: Sequence[str],
  *,
  name: str | None = None,
  checkpoint: str = "best",
) -> Player:
  """Who plans with a run's reward.

  Args:
    run: a run folder, an exported reward, or one of `SPECIAL`.
    settings: how to plan.
    task_names: what is to be planned for.
    name: of the method; that of the run by default.
    checkpoint: which weights of a run.

  Raises:
    ValueError, KeyError, FileNotFoundError: no such run, or one that cannot
      judge the tasks.
  """
  if run == "random":
    return Player("random", None, settings)
  if run == "clock":
    # All its scores are equal: the first candidate is taken, whatever else
    # there is.
    one = dataclasses.replace(settings, num_samples=1, num_elites=1)
    objective = base.Objective("clock", {}, _all_equal)
    return Player("clock", lambda _: objective, one)
  if run == "ground_truth":
    return Player("ground_truth", objectives.ground_truth, settings)
  if not checks.path(run).is_dir():
    there = sorted(map(str, pathlib.Path("runs").glob("*/reward.json")))
    known = [*SPECIAL, *(str(pathlib.Path(path).parent) for path in there)]
    raise ValueError(f"unknown run {run!r}; known: {', '.join(known)}")
  scorer = registry.load_scorer(run, checkpoint)
  texts = {task: sim.TASKS[task].instruction for task in task_names}
  objective = objectives.from_scorer(scorer, texts)
  return Player(
    name or scorer.name,
    lambda _: objective,
    settings,
    scorer.image_size,
    _identity(checks.path(run), scorer),
  )


def choose(
  flag: str,
  names: Sequence[str],
  known: Sequence[str],
  more: Sequence[str] = (),
) -> tuple[str, ...]:
  """Returns names in the order of the known ones; all for none, or for 'all'.

  Args:
    flag: where the names come from.
    names: what is chosen.
    known: what 'all' stands for.
    more: what can be asked for besides.

  Raises:
    ValueError: an unknown name; lists the known.
  """
  if list(names) in ([], ["all"]):
    return tuple(known)
  every = dict.fromkeys([*known, *more])
  wrong = ", ".join(repr(name) for name in names if name not in every)
  if wrong:
    raise ValueError(f"{flag}: unknown {wrong}; known: all, {', '.join(every)}")
  return tuple(name for name in every if name in names)


def _all_equal(params, rows, future, timing, task):
  del params, rows, future, timing
  return jax.numpy.zeros(task.shape, np.float32)


def _identity(folder: pathlib.Path, scorer: scorer_lib.Scorer) -> dict:
  """Digests of the weights and of what else makes a run's reward."""
  spec, demos = folder / "reward.json", folder / dvd.DEMOS_FILE
  identity = {
    "weights": _digest_tree(scorer.params),
    "reward": files.digest(spec if spec.is_file() else b"")[:12],
  }
  if demos.is_file():
    identity["demos"] = files.digest(demos)[:12]
  if scorer.name == "concept2robot":
    settings = saved_lib.read_file(folder, "config.json")
    identity["score"] = settings["concept2robot"]["score"]
  return identity


@functools.lru_cache
def _digest_video_model(folder, times) -> str:
  """Digest of a video model, read anew where its checkpoints' times differ."""
  del times
  saved = checkpoint_lib.load(
    folder, parts=("params", "extra"), items=("config",)
  )
  sizes = saved.items["config"]["model"]
  return digest([sizes, _digest_tree(saved.parts)])


def _digest_tree(tree) -> str:
  """Digest of a pytree's arrays and of their places."""
  state = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    state.update(jax.tree_util.keystr(path).encode())
    state.update(np.asarray(leaf).tobytes())
  return state.hexdigest()[:12]


def digest(settings: Any) -> str:
  """Returns a short name of plain values, the same for equal ones."""
  return files.digest(json.dumps(settings, sort_keys=True))[:10]
