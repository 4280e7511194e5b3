"""Robot episodes, simulated and drawn: labeled clips, and play.

Labeled clips are of some source of behavior and of one task, which judges them
by their state. Play is to learn dynamics from: all is recorded, and nothing
judged. DVD trains its video models on uniformly random actions. These hardly
move an object, so hands that explore, and strokes that do or nearly do a task,
can be mixed in.

Letters: N episodes, B episodes of one call, T stored frames, H W image.
"""

from collections.abc import Sequence

import jax
import numpy as np

from a2r.core import checks, images
from a2r.sim.behavior import policies
from a2r.sim.tabletop import drawing, episodes, tasks, variants
from a2r.sim.tabletop import physics as physics_lib

# Uniformly random actions; such actions held for a while; and `policies`.
PLAY_SOURCES = ("uniform", "held", *policies.SOURCES)
_HOLDS = (2, 4, 5, 10, 20)  # Steps that 'held' holds an action, all episode.
_BATCH = 32  # Episodes simulated by one call.
# Given up: so many episodes per wanted one, after so many episodes.
_MAX_DRAWS, _FEWEST_DRAWS = 400, 4000


def collect(
  environment: str,
  task: str,
  source: str,
  seed: int,
  num_clips: int,
  *,
  num_frames: int = 8,
  image_size: int = 64,
  samples: int = 1,
  want: bool | None = None,
  physics: str = "c",
) -> episodes.Episodes:
  """Simulates and draws clips, labeled by their state and never by the script.

  Draw i depends on the other arguments and on i alone; clip n is the n-th draw
  that is wanted, whatever `num_clips` is.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    task: a name of `sim.TASKS`; it chooses the script and judges success.
    source: of `policies.SOURCES`: 'expert', 'near_miss', 'noise', 'rl',
      'random' or 'explore'. Noise is put on expert episodes that succeed: a
      draw whose actions fail without it is left out.
    seed: of all randomness.
    num_clips: N.
    num_frames: T, evenly spaced, first and last included.
    image_size: H = W in pixels.
    samples: rays per pixel in each direction, averaged: 2 or 3 smooth edges.
    want: keep only successes (True), only failures (False), or all (None).
    physics: as in `sim.make`; C by default, so that every machine makes the
      same clips.

  Returns:
    Numpy arrays, all but `obs` and `reward`.

  Raises:
    KeyError: if a name is unknown, or the source is 'rl' and the task has no
      trained policy; the known are listed.
    ValueError: if wanted clips hardly ever come up, or a number makes no sense.
  """
  tasks.get(task)
  checks.count("seed", seed, 0, 2**63 - 1)
  checks.count("num_clips", num_clips, 0)
  checks.clip_sizes(num_frames, image_size)
  checks.count("samples", samples, 1, checks.MAX_SAMPLES)
  checks.one_of("want", want, (None, True, False))
  model = physics_lib.load(environment)
  keys = [
    seed,
    variants.ENVIRONMENTS.index(environment),
    list(tasks.TASKS).index(task),
    policies.source_index(source),
  ]
  parts, num_found, num_drawn = [], 0, 0
  while num_found < num_clips or not parts:
    if num_drawn >= max(_FEWEST_DRAWS, _MAX_DRAWS * num_found):
      raise ValueError(
        f"only {num_found} of {num_clips} clips in {num_drawn} episodes for"
        " (environment, task, source, want) ="
        f" {(environment, task, source, want)}"
      )
    draws = np.arange(num_drawn, num_drawn + _BATCH)
    parts.append(_simulate(model, task, source, keys, draws, want, physics))
    num_found += len(parts[-1].seeds)
    num_drawn += _BATCH
  clips = jax.tree.map(lambda *x: np.concatenate(x)[:num_clips], *parts)
  stored = images.frame_indices(clips.states.shape[1], num_frames, "ends")
  frames = drawing.draw_frames(
    model, clips.qpos[:, stored], image_size=image_size, samples=samples
  )
  return clips.replace(frames=frames, source=np.full(len(clips.seeds), source))


def collect_play(
  environment: str,
  source: str,
  seed: int,
  draws: Sequence[int],
  *,
  stride: int,
  image_size: int,
  physics: str = "c",
) -> episodes.Episodes:
  """Plays and draws episodes; each depends on its draw, not on the others.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    source: of `PLAY_SOURCES`; those of `policies` play a random task.
    seed: of all randomness.
    draws: N numbers.
    stride: control steps between two pictures, a divisor of 60.
    image_size: H = W in pixels.
    physics: as in `collect`.

  Returns:
    Numpy arrays `states`, `qpos`, `actions` and `frames`, the first included.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: a stride that does not divide the episode.
  """
  checks.one_of("source", source, PLAY_SOURCES, KeyError)
  num_steps = physics_lib.NUM_STEPS
  if stride < 1 or num_steps % stride:
    raise ValueError(
      f"stride must divide the {num_steps} steps of an episode, got {stride}"
    )
  model = physics_lib.load(environment)
  place = variants.ENVIRONMENTS.index(environment)
  number = PLAY_SOURCES.index(source)
  actions = [
    _play_actions(model, source, [seed, place, number, int(draw)])
    for draw in draws
  ]
  played = _roll_out(model, np.concatenate(actions), physics)
  frames = drawing.draw_frames(
    model, played.qpos[:, ::stride], image_size=image_size
  )
  return played.replace(frames=frames)


def _simulate(model, task, source, keys, draws, want, engine):
  """Keeps the wanted episodes of `draws`, their success read off the state."""
  seeds = [[*keys, int(draw)] for draw in draws]
  played = _play(model, task, source, seeds, engine)
  wanted = np.ones(len(draws), bool) if want is None else played.success == want
  if source == "noise" and wanted.any():
    # The same seeds, thus the same actions without the noise. The batch keeps
    # its size, so that MJX compiles once.
    clean = _play(model, task, "expert", seeds, engine)
    wanted &= clean.success
  return jax.tree.map(lambda x: x[wanted], played.replace(seeds=draws))


def _play(model, task, source, seeds, engine):
  """Plays the episodes of `seeds`, B lists of integers, and judges them."""
  actions = policies.sample_batch(model, source, task, seeds)
  played = _roll_out(model, actions, engine)
  outcomes = np.asarray(tasks.outcomes_many(played.states))
  return played.replace(success=outcomes[:, list(tasks.TASKS).index(task)])


def _roll_out(model, actions, engine):
  played = physics_lib.rollout(model, actions, physics=engine)
  return jax.tree.map(np.asarray, played)


def _play_actions(model, source, seed):
  """Returns actions `[1, 60, 5]` of one episode; `seed` is numbers."""
  if source in policies.SOURCES:
    # A stream of its own: the script's first draw must not follow the task.
    task = np.random.default_rng([*seed, 1]).choice(list(tasks.TASKS))
    return policies.sample_batch(model, source, task, [seed])
  rng = np.random.default_rng(seed)
  actions = policies.uniform(rng)
  if source == "held":
    actions = actions[np.arange(len(actions)) // rng.choice(_HOLDS)]
  return actions[None]
