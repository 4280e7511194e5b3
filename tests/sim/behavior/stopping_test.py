"""Tests of stopping: when it stops, and that what is shipped is the policy."""

import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.behavior import ppo, stopped, stopping


def _trainer(num_steps, **metrics):
  """A trainer whose state is a count of timesteps."""

  def epoch(state, rng):
    del rng
    state = types.SimpleNamespace(env_steps=state.env_steps + num_steps)
    return state, {"reward": 1.0} | metrics

  init = lambda rng: types.SimpleNamespace(env_steps=0)  # noqa: E731
  return ppo.Trainer(init, epoch, None)


@pytest.mark.parametrize(
  ("evaluations", "kept", "ended"),
  [
    pytest.param([(0.1, 0.9), (0.45, 0.9), (0.9, 0.9)], 2, 2, id="at_the_aim"),
    pytest.param(
      [(0.5, 0.1), (0.6, 0.5)], 2, 2, id="not_while_failures_are_far"
    ),
    pytest.param([(0.3, 0.9), (0.95, 0.9)], 1, 2, id="before_it_was_too_good"),
    pytest.param(
      [(0.1, 0.5), (0.2, 0.5), (0.0, 0.5), (0.0, 0.5)], 2, 4, id="at_the_end"
    ),
  ],
)
def test_stops(evaluations, kept, ended):
  reported = []
  random = (0.2, 0.3)
  evaluate = mock.Mock(
    side_effect=[stopping.Evaluation(*x, 0.1) for x in (random, *evaluations)]
  )
  with (
    mock.patch.object(ppo, "make_trainer", lambda *_: _trainer(100)),
    mock.patch.object(stopping.sim, "make", lambda *_, **__: None),
    mock.patch.object(stopping, "export", lambda state: state.env_steps),
    mock.patch.object(stopping, "evaluate", evaluate),
  ):
    result = stopping.train(
      "poke_cup",
      seed=0,
      stop_at=0.5,
      num_steps=400,
      report_fn=lambda steps, figures: reported.append(steps),
    )
  assert result.env_steps == result.policy == 100 * kept
  assert reported == [100 * (i + 1) for i in range(ended)]


def test_a_training_that_is_not_finite_has_no_policy():
  trainer = _trainer(100, policy_loss=float("nan"))
  evaluate = mock.Mock(return_value=stopping.Evaluation(0.2, 0.3, 0.1))
  with (
    mock.patch.object(ppo, "make_trainer", lambda *_: trainer),
    mock.patch.object(stopping.sim, "make", lambda *_, **__: None),
    mock.patch.object(stopping, "evaluate", evaluate),
    pytest.raises(FloatingPointError, match="poke_cup.*100: policy_loss = nan"),
  ):
    stopping.train("poke_cup", seed=0, stop_at=0.5, num_steps=400)


def test_the_exported_policy_acts_as_the_trained_one():
  config = ppo.PPOConfig(hidden=(8, 8), init_std=0.4)
  env = types.SimpleNamespace(observation_size=6, action_size=5)
  with mock.patch.object(ppo.wrappers, "wrap"):
    trainer = ppo.make_trainer([env], config)
  state = jax.jit(trainer.init)(jax.random.key(0))
  rng = np.random.default_rng(1)
  state = state.replace(
    params=jax.tree.map(
      lambda x: np.float32(x + 0.3 * rng.normal(size=x.shape)), state.params
    ),
    normalizer=state.normalizer.replace(
      mean=jnp.arange(6.0), std=jnp.linspace(0.1, 3.0, 6)
    ),
  )
  obs = np.float32(4 * rng.normal(size=(3, 6)))
  expected, _ = jax.jit(trainer.make_policy(state, True))(obs, None)
  policy = stopping.export(state)
  action = stopped.act(policy, obs)
  np.testing.assert_allclose(action, expected, rtol=1e-4, atol=1e-4)
  _, extras = jax.jit(trainer.make_policy(state))(obs, jax.random.key(3))
  _, std = extras["distribution_params"]
  np.testing.assert_allclose(
    np.broadcast_to(policy.noise, std.shape), std, rtol=1e-6
  )
