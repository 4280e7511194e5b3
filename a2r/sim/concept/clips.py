"""Clips of Concept2Robot's table, labeled by how the episode ended.

Letters: N clips, F stored frames, T = 49 control steps, H W image.
"""

import itertools

import flax
import jax
import numpy as np

from a2r.core import checks, images
from a2r.sim.concept import env as env_lib
from a2r.sim.concept import physics, policies, variants
from a2r.sim.concept import scene as scene_lib

# Given up: so many episodes for a wanted one, after so many episodes.
_MAX_DRAWS, _FEWEST_DRAWS = 50, 200


@flax.struct.dataclass
class Clips:
  """N clips.

  Attributes:
    frames: uint8 `[N, F, H, W, 3]`, evenly from the start to the episode's end.
    states: `[N, T+1, 56]` of `scene.states`; they stand still after that end.
    actions: `[N, 350]`.
    success: bool `[N]`.
    length: int `[N]` control steps until the episode's end.
    source: str `[N]`, who acted.
    seeds: int `[N]`, the number of the draw; with the seed it names the clip.
  """

  frames: np.ndarray
  states: np.ndarray
  actions: np.ndarray
  success: np.ndarray
  length: np.ndarray
  source: np.ndarray
  seeds: np.ndarray


def collect(
  environment: str,
  task: str,
  source: str,
  seed: int,
  num_clips: int,
  *,
  num_frames: int = 8,
  image_size: int = 64,
  want: bool | None = None,
) -> Clips:
  """Plays and draws clips.

  Draw i depends on the environment, the task, the source, the seed and on i
  alone; clip n is the n-th draw that is wanted. Draws are made one by one, so
  that none is optimized in vain, and in C, so that every machine makes the same
  clips.

  Args:
    environment: of `variants.ENVIRONMENTS`.
    task: a number or a name of `concept.tasks`.
    source: of `policies.SOURCES`.
    seed: of all randomness.
    num_clips: N.
    num_frames: F.
    image_size: H = W in pixels.
    want: keep only successes (True), only failures (False), or all (None).

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: wanted clips hardly ever come up, or a number makes no sense.
  """
  known = variants.ENVIRONMENTS
  checks.one_of("environment", environment, known, KeyError)
  checks.one_of("source", source, policies.SOURCES, KeyError)
  checks.count("seed", seed, 0, 2**63 - 1)
  checks.count("num_clips", num_clips, 1)
  checks.clip_sizes(num_frames, image_size)
  checks.one_of("want", want, (None, True, False))
  options = known[environment] | {"reward": "manual", "physics": "c"}
  env = env_lib.make(task, **options)
  words = (environment, env.task.name, source)
  keys = [seed, *(int.from_bytes(word.encode(), "big") for word in words)]
  found = []
  for draw in itertools.count():
    if len(found) == num_clips:
      break
    if draw >= max(_FEWEST_DRAWS, _MAX_DRAWS * len(found)):
      raise ValueError(
        f"only {len(found)} of {num_clips} clips in {draw} episodes for"
        " (environment, task, source, want) ="
        f" {(environment, env.task.name, source, want)}"
      )
    start, played = _play(env, source, [*keys, draw])
    if want is None or played.success[0] == want:
      found.append((start, played, np.array([draw])))
  start, played, draws = jax.tree.map(lambda *x: np.concatenate(x), *found)
  steps = np.arange(physics.NUM_STEPS + 1)
  qpos = _at(played.qpos, np.minimum(steps, played.length[:, None]))
  stored = [images.frame_indices(n + 1, num_frames) for n in played.length]
  return Clips(
    frames=env.draw_states(
      start, _at(qpos, np.array(stored)), image_size, image_size
    ),
    states=scene_lib.states(env.task.scene, start, qpos),
    actions=played.actions,
    success=played.success,
    length=played.length,
    source=np.full(num_clips, source),
    seeds=draws,
  )


def _play(env, source, words):
  """Plays the draw of these numbers: its start and what came of it."""
  mixed = np.random.SeedSequence(words).generate_state(8)
  start = policies.sample_start(env.task.scene, [mixed[:4]])
  actions = policies.sample(env, source, start, [mixed[4:]])
  return start, env.play(start, actions)


def _at(qpos, steps):
  """Rows `[N, F]` of `[N, T+1, nq]`."""
  return np.take_along_axis(qpos, steps[..., None], axis=1)
