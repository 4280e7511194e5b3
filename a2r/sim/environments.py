"""All simulated environments by name."""

from etils import epy

from a2r.core import checks
from a2r.sim.concept import variants as concept_variants
from a2r.sim.tabletop import variants

with epy.lazy_imports():
  from a2r.sim.behavior import clips
  from a2r.sim.concept import clips as concept_clips
  from a2r.sim.concept import env as concept
  from a2r.sim.concept import gym as concept_gym
  from a2r.sim.tabletop import env as tabletop
  from a2r.sim.tabletop import gym as tabletop_gym
  from a2r.sim.tabletop import rollouts


def make(name: str, **options):
  """Returns the environment of that name.

  Args:
    name: one of `sim.ENVIRONMENTS`, or 'concept/' and the number or the name of
      a task: 'concept/5', 'concept/closing_something'.
    **options: of a tabletop `task`, `image_size`, `samples`, `physics`,
      `reward` and `noise` (`a2r.sim.tabletop.env.make`), of a concept
      `reward`, `view`, `distractors` and `physics`
      (`a2r.sim.concept.env.make`).

  Raises:
    KeyError: if a name is unknown; the known are listed.
    ValueError: if another argument makes no sense.
  """
  make_fn = concept.make if _is_concept(name) else tabletop.make
  return make_fn(name, **options)


def rollout(env, policy, rng, num_envs: int, **options):
  """Plays `num_envs` episodes of a policy, with pictures if asked for.

  Args:
    env: from `make`.
    policy: (rng, observation) to an action, unbatched and pure.
    rng: a typed key; consumed. Episode n depends on it and n alone.
    num_envs: how many.
    **options: `pixels_every`, and of a tabletop `num_steps`; see
      `a2r.sim.tabletop.rollouts.rollout` and `a2r.sim.concept.env.rollout`.

  Returns:
    `tabletop.episodes.Episodes` or `concept.env.Played`.

  Raises:
    ValueError: if a number makes no sense.
  """
  plays = isinstance(env, concept.Concept)
  play = concept.rollout if plays else rollouts.rollout
  return play(env, policy, rng, num_envs, **options)


def collect(
  environment: str, task: str, source: str, seed: int, num_clips: int, **options
):
  """Simulates and draws clips of one source, labeled by what happened.

  Args:
    environment: one of `sim.ENVIRONMENTS`, or of `concept.variants`.
    task: a name of `sim.TASKS`, or a number or a name of a concept.
    source: who acts: 'expert', 'near_miss', 'random', of a tabletop also
      'noise', 'rl' and 'explore'.
    seed: of all randomness.
    num_clips: how many.
    **options: see `a2r.sim.behavior.clips.collect` and
      `a2r.sim.concept.clips.collect`.

  Returns:
    `sim.Clips` or `concept.clips.Clips`.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: wanted clips hardly ever come up, or a number makes no sense.
  """
  concepts = list(concept_variants.ENVIRONMENTS)
  known = (*variants.ENVIRONMENTS, *concepts)
  checks.one_of("environment", environment, known, KeyError)
  collect_fn = clips.collect
  if environment in concepts:
    collect_fn = concept_clips.collect
  return collect_fn(environment, task, source, seed, num_clips, **options)


def make_gym(name: str, *, num_envs: int | None = None, **options):
  """Returns the environment of that name for Gymnasium.

  Args:
    name: as of `make`.
    num_envs: None for a `gymnasium.Env`, N for a `gymnasium.vector.VectorEnv`
      whose rows are stepped together.
    **options: see `a2r.sim.tabletop.gym.make_gym` and
      `a2r.sim.concept.gym.ConceptVectorEnv`.

  Raises:
    KeyError: if a name is unknown; the known are listed.
    ValueError: if another argument makes no sense.
  """
  gym = concept_gym if _is_concept(name) else tabletop_gym
  return gym.make_gym(name, num_envs=num_envs, **options)


def register_gym() -> list[str]:
  """Makes all environments known to `gymnasium.make` and `make_vec`.

  Returns:
    Their ids, 'a2r/tabletop-test2-close_drawer-v0',
    'a2r/concept-closing_something-v0' and so on. `gymnasium.make` and
    `make_vec` take the other arguments of `make_gym`.
  """
  return tabletop_gym.register_gym() + concept_gym.register_gym()


def _is_concept(name: str) -> bool:
  """Whether it is a concept, not a tabletop; a KeyError at any other name."""
  if isinstance(name, str) and name.startswith(concept.PREFIX):
    return True
  known = (*variants.ENVIRONMENTS, f"{concept.PREFIX}<task>")
  checks.one_of("environment", name, known, KeyError)
  return False
