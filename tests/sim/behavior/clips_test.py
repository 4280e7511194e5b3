"""Tests of the labeled clips and of how they are drawn."""

import functools
import itertools
from unittest import mock

import numpy as np
import pytest

from a2r import sim
from a2r.sim.behavior import clips, stopped
from a2r.sim.tabletop import episodes, physics, tasks


def _collect(environment, task, source, seed, count, want=None):
  return sim.collect(
    environment, task, source, seed, count,
    want=want, image_size=8, num_frames=4,
  )  # fmt: skip


def test_frames_show_the_start_and_the_end():
  found = _collect("tabletop/train", "close_drawer", "expert", 0, 3)
  assert (found.frames.shape, found.frames.dtype) == ((3, 4, 8, 8, 3), np.uint8)
  assert found.success.dtype == bool
  assert found.states.shape == (3, 61, 13)
  assert list(found.source) == ["expert"] * 3
  np.testing.assert_array_equal(found.frames[0, 0], found.frames[1, 0])
  assert (found.frames[0, 0] != found.frames[0, -1]).any()


@pytest.mark.parametrize(
  ("source", "want"),
  [("random", True), ("random", False), ("near_miss", False), ("noise", False)],
)
def test_wanted_label_is_the_state_s(source, want):
  found = _collect("tabletop/test3", "move_faucet", source, 1, 5, want)
  success = [
    tasks.TASKS["move_faucet"].success(states) for states in found.states
  ]
  np.testing.assert_array_equal(success, want)
  np.testing.assert_array_equal(found.success, want)
  assert (np.diff(found.seeds) > 0).all()
  assert list(found.source) == [source] * 5


def test_a_clip_depends_on_its_number_its_seed_and_its_source():
  clips = []
  for source, seed in (("near_miss", 5), ("noise", 5), ("noise", 6)):
    few, many = (
      _collect("tabletop/train", "poke_cup", source, seed, count)
      for count in (2, 40)
    )
    np.testing.assert_array_equal(few.frames, many.frames[:2])
    np.testing.assert_array_equal(few.states, many.states[:2])
    clips += list(few.states)
  for one, other in itertools.combinations(clips, 2):
    assert (one != other).any()


def test_stopped_policies_play_their_own_task():
  rng = np.random.default_rng(0)
  policy = stopped.Policy(
    mean=np.zeros(62, np.float32),
    std=np.ones(62, np.float32),
    kernels=(np.float32(rng.normal(size=(62, 5))),),
    biases=(np.zeros(5, np.float32),),
    noise=np.full(5, 0.3, np.float32),
  )

  collect = functools.partial(_collect, "tabletop/train")
  with mock.patch.object(stopped, "load", lambda: {"close_drawer": policy}):
    few, many = (collect("close_drawer", "rl", 0, count) for count in (2, 5))
    with pytest.raises(KeyError, match="'move_faucet'.*close_drawer"):
      collect("move_faucet", "rl", 0, 1)
  np.testing.assert_array_equal(few.states, many.states[:2])
  assert not ((few.states[0] == few.states[1]).all())


def _stand_in(success_fn):
  """Plays nothing; (draw number, source) to the success of an episode."""

  def play(model, task, source, seeds, engine):
    success = [success_fn(seed[-1], source) for seed in seeds]
    return episodes.Episodes(
      np.zeros((len(seeds), 61, 1)), success=np.array(success)
    )

  return mock.patch.object(clips, "_play", play)


def test_noise_is_put_on_successes_alone():
  # Experts of even seeds fail here, so that half of the draws are left out.
  with _stand_in(
    lambda n, source: n % 3 == 0 if source == "noise" else n % 2 == 1
  ):
    for want, expected in ((None, [1, 3, 5]), (True, [3]), (False, [1, 5])):
      found = clips._simulate(
        "tabletop/train", "poke_cup", "noise", [0], np.arange(6), want, "c"
      )
      np.testing.assert_array_equal(found.seeds, expected)
      np.testing.assert_array_equal(found.success, np.array(expected) % 3 == 0)


def test_what_never_comes_up_is_given_up():
  with (
    _stand_in(lambda *_: False),
    pytest.raises(ValueError, match="only 0 of 500 clips in 4000 episodes"),
  ):
    _collect("tabletop/train", "poke_cup", "random", 0, 500, True)


def _collect_play(source, draws, **options):
  options = {"stride": 30, "image_size": 8} | options
  return clips.collect_play("tabletop/train", source, 0, draws, **options)


@pytest.mark.parametrize("source", [s for s in clips.PLAY_SOURCES if s != "rl"])
def test_play_of_every_source(source):
  played, one = _collect_play(source, [0, 5]), _collect_play(source, [5])
  assert played.frames.shape == (2, 3, 8, 8, 3)
  assert played.actions.shape == (2, 60, 5)
  assert played.states.shape == (2, 61, 13)
  assert (np.abs(played.actions) <= physics.ACTION_HIGH + 1e-6).all()
  assert (played.actions[0] != played.actions[1]).any()
  # The actions are those that were played.
  again = physics.rollout(physics.load("tabletop/train"), played.actions)
  np.testing.assert_array_equal(again.states, played.states)
  # An episode depends on its draw alone.
  for name in ("frames", "actions", "states"):
    np.testing.assert_array_equal(getattr(played, name)[1:], getattr(one, name))


def test_what_a_script_draws_does_not_follow_its_task(monkeypatch):
  agree = []

  def sample(model, source, task, seeds):
    first = np.random.default_rng(seeds[0]).choice(list(tasks.TASKS))
    agree.append(task == first)
    return np.zeros((1, 60, 5), np.float32)

  monkeypatch.setattr(clips.policies, "sample_batch", sample)
  _collect_play("near_miss", range(50))
  assert 0 < np.mean(agree) < 0.5


def test_held_actions_are_held():
  actions = _collect_play("held", range(4)).actions
  changes = (np.diff(actions, axis=1) != 0).any(axis=-1).sum(axis=1)
  assert set(changes) <= {60 // n - 1 for n in (2, 4, 5, 10, 20)}
