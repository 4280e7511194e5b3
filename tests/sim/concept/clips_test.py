"""Clips of Concept2Robot's table: who acts, what is kept, what is stored."""

import numpy as np
import pytest

from a2r import sim
from a2r.sim.concept import clips, policies, scene, tasks


def _collect(task, source, num, seed=0, want=None, environment="concept"):
  return sim.collect(
    environment, task, source, seed, num, want=want, num_frames=3, image_size=8
  )


def test_frames_show_the_start_and_the_end():
  found = _collect("47", "random", 3)
  assert (found.frames.shape, found.frames.dtype) == ((3, 3, 8, 8, 3), np.uint8)
  assert found.states.shape == (3, 50, 56)
  assert found.source.tolist() == ["random"] * 3
  assert (found.frames[:, 0] != found.frames[:, -1]).any(axis=(1, 2, 3)).all()
  for states, length in zip(found.states, found.length, strict=True):
    changes = np.flatnonzero((np.diff(states, axis=0) != 0).any(axis=1))
    assert changes[-1] + 1 == length  # It stands still after its end.


def test_a_clip_depends_on_its_draw_source_seed_and_place():
  few, many = (_collect("93", "random", num) for num in (1, 3))
  for name in ("frames", "states", "actions"):
    one = getattr(many, name)
    np.testing.assert_array_equal(getattr(few, name), one[:1])
    assert (one[0] != one[1]).any()
  others = (
    _collect("93", "random", 1, seed=1),
    _collect("94", "random", 1),
    _collect("93", "random", 1, environment="concept_third"),
  )
  for other in others:
    assert (other.actions != few.actions).any()


@pytest.mark.parametrize("want", [True, False])
def test_what_is_wanted_is_kept(want):
  found = _collect("89", "random", 3, want=want)
  np.testing.assert_array_equal(found.success, want)
  assert (np.diff(found.seeds) > 0).all()


def test_near_misses_are_spoiled_successes(monkeypatch):
  def lift(env, start, rngs):
    actions = np.zeros((len(start.arm), 350), np.float32)
    actions[:, 2] = 0.35
    return actions

  monkeypatch.setattr(policies, "optimize", lift)
  done = _collect("45", "expert", 2, want=True)
  missed = _collect("45", "near_miss", 2, want=False)
  assert done.success.all() and not missed.success.any()
  assert (missed.actions[:, 2] < 0.35).all()
  assert (done.states[:, 0] != missed.states[:, 0]).any()  # Draws of their own.


def test_states_are_those_of_the_things():
  found = _collect("5", "random", 1)
  task = tasks.TASKS[5]
  things = found.states[0, :, :48].reshape(50, 6, 8)
  low, high = task.scene.things["object"].joint
  assert low <= things[0, 0, 7] <= high
  assert (things[:, 0, :7] == things[0, 0, :7]).all()  # It is fixed.
  np.testing.assert_array_equal(things[:, 1:], 0)
  start = found.states[0, 0, 48:55]
  assert np.abs(start).max() > 1  # The arm's joints.
  closed = scene.FINGER_RANGE * task.scene.hand.grip / scene.CLOSED
  np.testing.assert_allclose(found.states[0, 0, 55], closed, atol=1e-6)


def test_what_never_comes_up_is_given_up(monkeypatch):
  monkeypatch.setattr(clips, "_FEWEST_DRAWS", 2)
  with pytest.raises(ValueError, match="only 0 of 1 clips in 2 episodes"):
    _collect("46", "random", 1, want=True)


@pytest.mark.parametrize(
  "change, message",
  [
    ({"environment": "concept_top"}, "unknown environment 'concept_top'"),
    ({"task": "push"}, "unknown task 'push'; known: 8, 9"),
    ({"source": "rl"}, "unknown source 'rl'; known: expert, near_miss, random"),
    ({"num": 0}, "num_clips must be from 1"),
  ],
)
def test_mistakes_are_named(change, message):
  arguments = {"task": "5", "source": "random", "num": 1} | change
  with pytest.raises((KeyError, ValueError), match=message):
    _collect(**arguments)
