"""The search for successes: what it tries first, and when it ends.

A goal succeeds here where it is near to a target.
"""

import types

import numpy as np
import pytest

from a2r.sim.concept import physics, policies
from a2r.sim.concept import scene as scene_lib

TARGET = np.array([0.9, -0.6, 0.3, 0.0, 0.5, -0.5, 0.2])


def _near_target(goals):
  return 0.6 - np.abs(goals - TARGET).max(axis=1)


class Env:
  """Counts the episodes of each call."""

  task = None

  def __init__(self, reward):
    self.reward, self.calls = reward, []

  def play(self, start, actions):
    self.calls.append(len(start.arm))
    reward = self.reward(actions[:, : physics.GOAL_SIZE])
    return types.SimpleNamespace(reward=reward)


@pytest.fixture
def optimize(monkeypatch):
  """A function of a number of episodes and the examples."""

  def run(num, examples, reward=_near_target):
    env = Env(reward)
    monkeypatch.setattr(policies, "_find_examples", lambda task: examples)
    start = scene_lib.Start(*np.zeros((4, num, 1)))
    rngs = [np.random.default_rng([7, n]) for n in range(num)]
    return policies.optimize(env, start, rngs), env

  return run


def test_what_succeeded_elsewhere_is_tried_first(optimize):
  examples = np.stack([np.r_[TARGET, 0, 0, 0], np.zeros(10)])
  actions, env = optimize(3, examples)
  assert env.calls == [3 * len(examples)]
  assert np.abs(actions[:, :7] - TARGET).max() < 0.6
  assert not actions[:, 7:].any()


def test_what_is_of_no_use_elsewhere_leaves_the_search_as_it_was(optimize):
  far = np.r_[-TARGET, 0, 0, 0][None]
  actions, env = optimize(3, far)
  assert env.calls[:3] == [3, 3, 3]
  assert env.calls[3] == 3 * 16
  assert np.abs(actions[:, :7] - TARGET).max() < 0.6


def test_a_search_depends_on_its_own_numbers_alone(optimize):
  none = np.zeros((0, 10))
  many, env = optimize(3, none)
  alone, _ = optimize(1, none)
  np.testing.assert_array_equal(alone[0], many[0])
  assert env.calls[-1] <= env.calls[0] == 3 * 16


def test_a_success_comes_before_a_shorter_way(optimize):
  examples = np.stack([np.zeros(10), np.ones(10)])
  actions, env = optimize(1, examples, lambda x: 1e-5 * np.sign(x[:, 0] - 0.5))
  assert env.calls == [2]
  assert actions[0, 0] > 0.5
