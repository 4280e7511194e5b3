"""Tests of the labeled clips and of how they are drawn."""

import itertools
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from a2r import sim
from a2r.sim.behavior import clips as clips_lib
from a2r.sim.behavior import stopped
from a2r.sim.tabletop import drawing, physics, tasks

_SMALL = {"image_size": 8, "num_frames": 4}


class CollectTest(parameterized.TestCase):
  def test_shapes_and_types(self):
    clips = sim.collect(
      "tabletop/train", "close_drawer", "expert", 0, 3, **_SMALL
    )
    self.assertEqual(clips.frames.shape, (3, 4, 8, 8, 3))
    self.assertEqual(clips.frames.dtype, np.uint8)
    self.assertEqual(clips.success.dtype, bool)
    self.assertEqual(clips.states.shape, (3, 61, 13))
    self.assertEqual(list(clips.source), ["expert"] * 3)

  @parameterized.parameters(True, False)
  def test_wanted_label_is_the_state_s(self, want):
    clips = sim.collect(
      "tabletop/test3", "move_faucet", "random", 1, 5, want=want, **_SMALL
    )
    success = [
      tasks.TASKS["move_faucet"].success(states) for states in clips.states
    ]
    np.testing.assert_array_equal(success, want)
    np.testing.assert_array_equal(clips.success, want)
    self.assertTrue((np.diff(clips.seeds) > 0).all())

  @parameterized.parameters("near_miss", "noise")
  def test_a_clip_does_not_depend_on_how_many_are_asked(self, source):
    few, many = (
      sim.collect("tabletop/train", "poke_cup", source, 5, count, **_SMALL)
      for count in (2, 40)
    )
    np.testing.assert_array_equal(few.frames, many.frames[:2])
    np.testing.assert_array_equal(few.states, many.states[:2])

  @parameterized.parameters("near_miss", "noise")
  def test_wanted_failures_are_failures(self, source):
    clips = sim.collect(
      "tabletop/test1", "open_drawer", source, 2, 6, want=False, **_SMALL
    )
    success = [
      tasks.TASKS["open_drawer"].success(states) for states in clips.states
    ]
    np.testing.assert_array_equal(success, False)
    self.assertEqual(list(clips.source), [source] * 6)

  def test_stopped_policies_play_their_own_task(self):
    rng = np.random.default_rng(0)
    policy = stopped.Policy(
      mean=np.zeros(62, np.float32),
      std=np.ones(62, np.float32),
      kernels=(np.float32(rng.normal(size=(62, 5))),),
      biases=(np.zeros(5, np.float32),),
      noise=np.full(5, 0.3, np.float32),
    )

    def collect(task, count):
      return sim.collect("tabletop/train", task, "rl", 0, count, **_SMALL)

    with mock.patch.object(stopped, "load", lambda: {"close_drawer": policy}):
      few, many = (collect("close_drawer", count) for count in (2, 5))
      with self.assertRaisesRegex(KeyError, "'move_faucet'.*close_drawer"):
        collect("move_faucet", 1)
    np.testing.assert_array_equal(few.states, many.states[:2])
    self.assertFalse((few.states[0] == few.states[1]).all())

  def test_noise_is_put_on_successes_alone(self):
    # Experts of even seeds fail here, so that half of the draws are left out.
    def play(model, task, source, seeds, engine):
      del model, task, engine
      number = np.array([seed[-1] for seed in seeds])
      success = number % 3 == 0 if source == "noise" else number % 2 == 1
      zeros = np.zeros((len(seeds), 61, 1))
      return zeros, zeros, success

    with mock.patch.object(clips_lib, "_play", play):
      for want, expected in ((None, [1, 3, 5]), (True, [3]), (False, [1, 5])):
        draws, success, *_ = clips_lib._simulate(
          None, None, "noise", [0], np.arange(6), want, "c"
        )
        np.testing.assert_array_equal(draws, expected)
        np.testing.assert_array_equal(success, np.array(expected) % 3 == 0)

  def test_what_never_comes_up_is_given_up(self):
    def play(model, task, source, seeds, engine):
      zeros = np.zeros((len(seeds), 61, 1))
      return zeros, zeros, np.zeros(len(seeds), bool)

    with (
      mock.patch.object(clips_lib, "_play", play),
      self.assertRaisesRegex(
        ValueError, "only 0 of 500 clips in 4000 episodes"
      ),
    ):
      sim.collect(
        "tabletop/train", "poke_cup", "random", 0, 500, want=True, **_SMALL
      )

  def test_seeds_and_sources_differ(self):
    logs = [
      sim.collect(
        "tabletop/train", "poke_cup", source, seed, 1, **_SMALL
      ).states
      for source, seed in (
        ("expert", 0),
        ("expert", 1),
        ("near_miss", 0),
        ("noise", 0),
      )
    ]
    for one, other in itertools.combinations(logs, 2):
      self.assertFalse((one == other).all())

  def test_unknown_names_list_the_known(self):
    with self.assertRaisesRegex(KeyError, "tabletop/train"):
      sim.collect("kitchen", "close_drawer", "expert", 0, 1)
    with self.assertRaisesRegex(KeyError, "close_drawer"):
      sim.collect("tabletop/train", "juggle", "expert", 0, 1)
    with self.assertRaisesRegex(KeyError, "near_miss"):
      sim.collect("tabletop/train", "close_drawer", "oracle", 0, 1)

  def test_stored_frames_show_the_start_and_the_end(self):
    clips = sim.collect(
      "tabletop/train", "close_drawer", "expert", 0, 2, **_SMALL
    )
    np.testing.assert_array_equal(clips.frames[0, 0], clips.frames[1, 0])
    self.assertTrue((clips.frames[0, 0] != clips.frames[0, -1]).any())


class DrawFramesTest(absltest.TestCase):
  def test_a_frame_does_not_depend_on_its_neighbors(self):
    model = physics.load("tabletop/test2")
    renderer = drawing.SceneRenderer(model.variant, model.mj)
    actions = np.random.default_rng(0).uniform(-1, 1, (1, 40, 5))
    qpos = physics.rollout(model, actions, physics="c").qpos[0]
    every = drawing.draw_frames(renderer, model.mj, qpos, image_size=8)
    one = drawing.draw_frames(renderer, model.mj, qpos[35], image_size=8)
    self.assertEqual(every.shape, (41, 8, 8, 3))
    np.testing.assert_array_equal(every[35], one)


if __name__ == "__main__":
  absltest.main()
