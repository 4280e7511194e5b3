"""The environment: Brax's functions, rollouts, pictures, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import sim
from a2r.sim.concept import env as env_lib
from a2r.sim.concept import outcomes, policies, tasks


def _policy(rng, obs):
  del obs
  return jax.random.uniform(rng, (350,), minval=-1)


def test_an_episode_is_one_step():
  env = sim.make("concept/closing_something", reward="manual")
  state = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 2))
  assert state.obs.shape == (2, env.observation_size)
  step = jax.jit(jax.vmap(env.step))
  after = step(state, jnp.zeros((2, env.action_size)))
  assert after.done.all()
  assert not after.metrics["success"].any()
  assert (after.reward < 0).all()
  picture = env.render(jax.tree.map(lambda x: x[0], state))
  assert picture.shape == (120, 160, 3)
  assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200


def test_an_episode_depends_on_its_number_alone():
  env = sim.make("concept/45")
  many = sim.rollout(env, _policy, jax.random.key(1), 4, pixels_every=49)
  few = sim.rollout(env, _policy, jax.random.key(1), 2)
  assert many.frames.shape == (4, 2, 120, 160, 3)
  np.testing.assert_array_equal(few.actions, many.actions[:2])
  np.testing.assert_allclose(few.qpos[:, 0], many.qpos[:2, 0], atol=1e-5)
  np.testing.assert_array_equal(few.success, many.reward[:2] > 0)


def test_the_optimizer_succeeds_and_its_near_misses_fail():
  env = env_lib.make("45", reward="manual")
  start = policies.sample_start(env.task.scene, [[0], [1]])
  actions = policies.sample(env, "expert", start, [0, 1])
  assert env.play(start, actions).success.all()
  rngs = [np.random.default_rng(n) for n in range(2)]
  spoiled = policies.spoil(env, start, actions, rngs)
  assert not env.play(start, spoiled).success.any()
  with pytest.raises(KeyError, match="unknown source 'ppo'; known: expert"):
    policies.sample(env, "ppo", start, [0, 1])


@pytest.mark.parametrize("steps", [[-1], [50], [0.5]])
def test_steps_that_are_not_of_the_episode_are_told(steps):
  env = env_lib.make("45")
  start = policies.sample_start(env.task.scene, [[0]])
  with pytest.raises(ValueError, match="frames_at must be"):
    env.play(start, np.zeros((1, 350)), frames_at=np.array(steps))


def test_other_views_are_other_pictures():
  start = policies.sample_start(env_lib.make("45").task.scene, [[0]])
  first, third, shifted = (
    env_lib.make("45", view=view).draw(start)
    for view in ("first", "third", "shifted_20")
  )
  assert np.mean(first != third) > 0.3
  assert np.mean(first != shifted) > 0.1


def test_an_unknown_environment_lists_the_known():
  with pytest.raises(KeyError, match="tabletop/train.*concept/<task>"):
    sim.make("metaworld")
  with pytest.raises(KeyError, match="unknown task 'nothing'"):
    sim.make("concept/nothing")


_WILD = {
  "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
  "beyond the bounds": lambda rng, shape: rng.normal(0, 1e3, shape),
  "at the bounds": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
  "huge": lambda rng, shape: rng.choice([-3e38, 3e38], shape),
  "tiny": lambda rng, shape: rng.choice([-1e-40, 1e-40], shape),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", _WILD)
def test_a_thousand_wild_actions_give_numbers(kind):
  rng = np.random.default_rng(0)
  for number in tasks.ALL_TASKS:
    env = env_lib.make(str(number), reward="manual")
    start = policies.sample_start(env.task.scene, [[n] for n in range(3)])
    played = env.play(start, _WILD[kind](rng, (3, env.action_size)))
    assert np.isfinite(played.qpos).all()
    assert np.isfinite(played.reward).all()
    assert (played.reward <= outcomes.ENOUGH).all()
    assert ((played.length >= 1) & (played.length <= 49)).all()


@pytest.mark.parametrize(
  "actions",
  [
    np.full((1, 350), np.nan),
    np.full((1, 350), -np.inf),
    np.zeros(350),
    np.zeros((2, 350)),
    np.zeros((1, 57)),
    np.full((1, 350), "up"),
    np.zeros((1, 350), complex),
    None,
  ],
)
def test_what_is_no_action_is_told(actions):
  env = env_lib.make("45")
  start = policies.sample_start(env.task.scene, [[0]])
  with pytest.raises(
    ValueError, match=r"must be \[1, 350\] numbers, got|finite"
  ):
    env.play(start, actions)
