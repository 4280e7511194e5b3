"""Episodes a second at Concept2Robot's table: ours beside PyBullet's.

  python -m benchmarks.concept_speed [--batches=1,64,1024] [--rounds=3]

Whole episodes of 49 control steps, alone and with 50 pictures of 160 x 120, of
a task of 100 control steps a second and of one of 30. Both play the same
motions from the same starts. Ours includes the inverse kinematics, the test of
success and the reward, and uses all cores; PyBullet's has the control of the
release (`benchmarks.bullet`), TinyRenderer without shadows, no test of success,
and uses one core; once with our shapes and once with the Panda's meshes, which
the release draws. Rounds are interleaved, and medians are given: of episodes a
second, and of the seconds of one core that an episode takes. Prints a table and
writes benchmarks/results/concept_speed-<backend>.json. Without PyBullet
(benchmarks/requirements-pybullet.txt) only our rates are measured.
"""

import functools
import importlib.util
import time

import jax
import numpy as np
from absl import flags

from a2r.sim.concept import env as env_lib
from a2r.sim.concept import physics, policies
from benchmarks import bullet, results
from launch import app

_BATCHES = flags.DEFINE_list("batches", ["1", "64", "1024"], "Batch sizes.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Times that each is measured.", 1)
_TASKS = ("16", "54")  # 100 and 30 control steps a second; judged at the end.
_GOAL = 0.1  # The largest, of 1: no episode ends early, so no picture is twice.
_FRAMES = np.arange(physics.NUM_STEPS + 1)
_LEAST = 8  # Episodes of ours in a measurement.


def main():
  """Measures all in turns and prints the medians."""
  with_bullet = importlib.util.find_spec("pybullet") is not None
  if not with_bullet:
    print("PyBullet is not installed: benchmarks/requirements-pybullet.txt.")
  calls = {}
  for number in _TASKS:
    for pictures in (False, True):
      calls |= _our_calls(number, pictures)
      if with_bullet:
        calls |= _bullet_calls(number, pictures)
  measured = {key: [] for key in calls}
  for _ in range(_ROUNDS.value):
    for key, (call, episodes) in calls.items():
      wall, cores = time.perf_counter(), time.process_time()
      call()
      seconds = time.perf_counter() - wall, time.process_time() - cores
      measured[key].append(np.divide(seconds, episodes))
  _report(measured)


def _report(measured):
  median = {key: np.median(rows, axis=0) for key, rows in measured.items()}
  rows, form = [], "{:>14}"
  head = ("steps/s", "pictures", "who", "episodes/s", "core s")
  head += ("x PyBullet", "by core")
  print((form * len(head)).format(*head))
  for (number, pictures, name), (wall, cores) in median.items():
    row = {
      "rate": env_lib.make(number).task.scene.rate,
      "pictures": len(_FRAMES) if pictures else 0,
      "name": name,
      "episodes_per_s": float(1 / wall),
      "core_s_per_episode": float(cores),
    }
    peer = median.get((number, pictures, "PyBullet"))
    if peer is not None:
      row["ratio"] = float(peer[0] / wall)
      row["ratio_per_core"] = float(peer[1] / cores)
    rows.append(row)
    cells = [f"{x:.3g}" if isinstance(x, float) else x for x in row.values()]
    print((form * len(cells)).format(*cells), flush=True)
  results.write("concept_speed", rows, rounds=_ROUNDS.value)


def _episodes(number, num):
  """An environment, starts of `num` episodes and their actions."""
  env = env_lib.make(number)
  start = policies.sample_start(env.task.scene, [[0, n] for n in range(num)])
  rngs = [np.random.default_rng(n) for n in range(num)]
  return env, start, _GOAL * policies.random_actions(rngs)


def _our_calls(number, pictures):
  """By task, pictures and name: a function, and how many episodes it plays."""
  calls = {}
  for batch in map(int, _BATCHES.value):
    env, start, actions = _episodes(number, batch)
    played = env.play(start, actions)  # Compiles, as the picture does.
    assert (played.length == physics.NUM_STEPS).all(), number
    env.draw(jax.tree.map(lambda x: np.asarray(x)[:1], start))
    call = functools.partial(
      env.play, start, actions, frames_at=_FRAMES if pictures else None
    )
    times = max(1, _LEAST // batch)
    name = f"ours, {batch}"
    calls[number, pictures, name] = _repeat(call, times), times * batch
  return calls


def _repeat(call, times):
  def repeated():
    for _ in range(times):
      call()

  return repeated


def _bullet_calls(number, pictures):
  calls = {}
  for meshes in (False, True):
    env, start, actions = _episodes(number, 2)
    table = bullet.Table(env.task.scene, meshes=meshes)
    motion = physics.make_motion(
      start.positions[:, -1],
      start.quats[:, -1],
      start.arm,
      actions,
      env.task.scene.hand.grip,
    )
    commands = bullet.commands(motion)
    call = functools.partial(_play_bullet, table, start, commands, pictures)
    call()  # Fills the caches.
    name = "with meshes" if meshes else "PyBullet"
    calls[number, pictures, name] = call, 2
  return calls


def _play_bullet(table, start, commands, pictures):
  for row in range(2):
    table.reset(start, row)
    frames = [table.draw()] if pictures else []
    for command in zip(*(x[row] for x in commands), strict=True):
      table.step(*command)
      if pictures:
        frames.append(table.draw())


if __name__ == "__main__":
  app.run(main)
