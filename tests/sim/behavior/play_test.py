"""Play: who acts, and that an episode depends on its draw alone."""

import numpy as np
import pytest

from a2r.sim.behavior import play
from a2r.sim.tabletop import physics, tasks

SOURCES = [source for source in play.SOURCES if source != "rl"]


def collect(source, draws, **options):
  options = {"stride": 30, "image_size": 8} | options
  return play.collect("tabletop/train", source, 0, draws, **options)


@pytest.mark.parametrize("source", SOURCES)
def test_sources(source):
  episodes = collect(source, [0, 5])
  assert episodes.frames.shape == (2, 3, 8, 8, 3)
  assert episodes.actions.shape == (2, 60, 5)
  assert episodes.states.shape == (2, 61, 13)
  assert (np.abs(episodes.actions) <= physics.ACTION_HIGH + 1e-6).all()
  assert (episodes.actions[0] != episodes.actions[1]).any()
  # The actions are those that were played.
  again = physics.rollout(physics.load("tabletop/train"), episodes.actions)
  np.testing.assert_array_equal(again.states, episodes.states)


def test_an_episode_depends_on_its_draw_alone():
  both, one = collect("random", [3, 8]), collect("random", [8])
  for name in ("frames", "actions", "states"):
    np.testing.assert_array_equal(getattr(both, name)[1], getattr(one, name)[0])


def test_what_a_script_draws_does_not_follow_its_task(monkeypatch):
  agree = []

  def sample(model, source, task, seeds):
    first = np.random.default_rng(seeds[0]).choice(list(tasks.TASKS))
    agree.append(task == first)
    return np.zeros((1, 60, 5), np.float32)

  monkeypatch.setattr(play.policies, "sample_batch", sample)
  collect("near_miss", range(50))
  assert 0 < np.mean(agree) < 0.5


def test_held_actions_are_held():
  actions = collect("held", range(4)).actions
  changes = (np.diff(actions, axis=1) != 0).any(axis=-1).sum(axis=1)
  assert set(changes) <= {60 // n - 1 for n in (2, 4, 5, 10, 20)}


def test_scaled_actions_lie_in_the_unit_box():
  scaled = play.scaled(np.array([1.0, -2.0, 0.5, -np.pi / 2, 9.0]))
  np.testing.assert_allclose(scaled, [1, -1, 0.5, -0.5, 1], rtol=1e-6)


@pytest.mark.parametrize(
  "source, options, error",
  [
    ("chaos", {}, KeyError),
    ("uniform", {"stride": 7}, ValueError),
    ("uniform", {"stride": 0}, ValueError),
  ],
)
def test_mistakes(source, options, error):
  with pytest.raises(error, match="uniform" if error is KeyError else "stride"):
    collect(source, [0], **options)
