"""The learned reward in Gymnasium, on environments whose films are known."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils import env_checker
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers.vector import (
  RecordEpisodeStatistics as RecordVectorStatistics,
)

from a2r import wrappers
from a2r.wrappers import gym
from tests.tiny import KNOWN, make_fake

LENGTH = 4
RANDOM = "tests/Film-v0"


class FilmEnv(gymnasium.Env):
  """Draws a level a frame, 0 but for the last frame of an episode.

  `make_fake` reads the last frame: level i is what `KNOWN[i]` says.
  """

  metadata = {"render_modes": ["rgb_array"], "render_fps": 8}
  observation_space = spaces.Box(0, 255, (4, 4, 3), np.uint8)
  action_space = spaces.Discrete(5)

  def __init__(self, last=1, length=LENGTH, render_mode="rgb_array"):
    self.render_mode, self._last, self._length = render_mode, last, length

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self._time = 0
    return self.render(), {}

  def step(self, action):
    self._time += 1
    return self.render(), -1.0, self._time == self._length, False, {"a": 1}

  def render(self):
    level = self._last if self._time == self._length else 0
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[0, 0, 0] = level
    return frame


def wrap(env, text=KNOWN[1], *args, **options):
  return wrappers.RewardWrapper(env, make_fake()[0], text, *args, **options)


def play(env, num=2 * LENGTH):
  env.reset(seed=0)
  rewards = []
  for _ in range(num):
    _, reward, terminated, truncated, info = env.step(0)
    assert info["env_reward"] == -1 and info["a"] == 1
    rewards.append(reward)
    if terminated or truncated:
      env.reset()
  return rewards


def test_the_last_step_gets_the_score_of_the_episode():
  assert play(wrap(FilmEnv())) == [0, 0, 0, 1] * 2
  assert play(wrap(FilmEnv(), KNOWN[2])) == [0] * 8
  limited = gymnasium.wrappers.TimeLimit(FilmEnv(length=9), 3)
  assert play(wrap(limited, KNOWN[0]), 3) == [0, 0, 1]  # Truncated.


def test_dense_rewards_are_changes_of_the_score_so_far():
  # All frames but the last are what the first text says.
  assert play(wrap(FilmEnv(), KNOWN[0], "dense")) == [0, 0, 0, -1] * 2
  assert play(wrap(FilmEnv(), KNOWN[1], "dense", 3)) == [0, 0, 0, 1] * 2
  scored = []

  def count(frames):
    scored.append(len(frames))
    return real(frames)

  env = wrap(FilmEnv(), KNOWN[1], "dense", 2)
  real = gym.Film.clip
  try:
    gym.Film.clip = lambda film, length=None: count(film)
    play(env, LENGTH)
  finally:
    gym.Film.clip = real
  assert scored == [1, 3, 5, 1]


def test_an_episode_so_far_stands_still_for_the_rest():
  film = gym.Film()
  for level in range(3):
    film.append(np.full((1, 1, 3), level, np.uint8))
  assert film.clip()[:, 0, 0, 0].tolist() == [0, 1, 2, 2]
  assert film.clip(6)[:, 0, 0, 0].tolist() == [0, 1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("num", [1, 127, 128, 129, 1000])
def test_films_are_bounded_and_even(num):
  film = gym.Film()
  for level in range(num):
    film.append(np.full((1, 1, 1), level))
  levels = film.clip()[:, 0, 0, 0]
  assert len(levels) <= 2 * 64 + 1 and len(film) == num
  assert levels[0] == 0 and levels[-1] == num - 1
  steps = np.diff(levels[:-1])
  assert len(set(steps.tolist())) <= 1


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("from_obs", [False, True])
def test_vector_environments_in_all_modes_of_resetting(mode, from_obs):
  lengths = 2, 3
  envs = SyncVectorEnv(
    [lambda n=n: FilmEnv(last=1, length=n) for n in lengths],
    autoreset_mode=mode,
  )
  options = {"frame_fn": lambda obs: obs} if from_obs else {}
  if not from_obs:
    envs.render_mode = "rgb_array"
  env = wrap(envs, [KNOWN[1], KNOWN[1]], **options)
  env.reset(seed=0)
  rows = []
  for _ in range(6):
    _, rewards, terminated, truncated, info = env.step(np.array([0, 0]))
    done = terminated | truncated
    rows.append(rewards.tolist())
    assert info["env_reward"].shape == (2,)
    if mode == AutoresetMode.DISABLED and done.any():
      env.reset(options={"reset_mask": done})
  expected = {
    AutoresetMode.NEXT_STEP: [[0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0]],
    AutoresetMode.SAME_STEP: [[0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1]],
    AutoresetMode.DISABLED: [[0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1]],
  }[mode]
  if mode == AutoresetMode.SAME_STEP and not from_obs:
    expected = [[0] * 6] * 2  # The last frame, the only telling one, is gone.
  assert np.transpose(rows).tolist() == expected


def test_each_row_has_its_text_and_episodes_are_counted():
  envs = SyncVectorEnv([FilmEnv] * 2)
  envs.render_mode = "rgb_array"
  env = RecordVectorStatistics(wrap(envs, [KNOWN[1], KNOWN[2]]))
  env.reset(seed=0)
  for _ in range(LENGTH):
    *_, info = env.step(np.zeros(2, int))
  assert info["episode"]["r"].tolist() == [1, 0]
  single = RecordEpisodeStatistics(wrap(FilmEnv()))
  single.reset(seed=0)
  for _ in range(LENGTH):
    *_, info = single.step(0)
  assert info["episode"]["r"] == 1


@pytest.mark.filterwarnings("ignore:.*unwrapped version")
def test_the_checker_of_gymnasium_passes():
  gymnasium.register(RANDOM, entry_point=FilmEnv, max_episode_steps=10)
  try:
    env = gymnasium.make(RANDOM, render_mode="rgb_array")
    env_checker.check_env(wrap(env, mode="dense"), skip_render_check=True)
  finally:
    del gymnasium.registry[RANDOM]


@pytest.mark.parametrize(
  "make, word",
  [
    (lambda: wrap(FilmEnv(render_mode=None)), "render_mode is None"),
    (lambda: wrap(FilmEnv(), KNOWN[0], "sparse"), "'sparse'"),
    (lambda: wrap(FilmEnv(), KNOWN[0], "dense", 0), "every"),
    (lambda: wrap(FilmEnv(), [KNOWN[0]] * 2), "2 instructions for 1"),
  ],
)
def test_mistakes_are_told_when_it_is_made(make, word):
  with pytest.raises(ValueError, match=word):
    make()
