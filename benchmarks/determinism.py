"""Whether the simulator gives the same bits twice, and alone as in a batch.

  python -m benchmarks.determinism [--engines=c,mjx] [--episodes=64]

Plays an episode of random actions, a picture every sixth step, in two further
processes and compares states and pixels bit by bit; then an episode alone with
the same one in a batch, in numbers.
"""

import hashlib
import subprocess
import sys

import jax
import numpy as np
from absl import app, flags

from a2r import sim
from a2r.core import compilation

_ENGINES = flags.DEFINE_list("engines", ["c", "mjx"], "Physics engines.")
_EPISODES = flags.DEFINE_integer("episodes", 64, "In the batch.", 2)
_DIGEST = flags.DEFINE_string("digest", "", "Print an engine's digest, end.")
_EVERY = 6


def _policy(rng, obs):
  del obs
  return jax.random.uniform(rng, (5,), minval=-1.0)


def _play(engine, num_envs):
  env = sim.make("tabletop/test3", physics=engine)
  rng = jax.random.key(0)
  out = sim.rollout(env, _policy, rng, num_envs, pixels_every=_EVERY)
  return jax.tree.map(np.asarray, out)


def _digest(rollout) -> str:
  parts = (rollout.qpos, rollout.states, rollout.reward, rollout.frames)
  return hashlib.sha256(b"".join(x.tobytes() for x in parts)).hexdigest()


def _in_process(engine) -> str:
  command = [sys.executable, "-m", "benchmarks.determinism"]
  command += [f"--digest={engine}", f"--episodes={_EPISODES.value}"]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  return done.stdout.split()[-1]


def main(_):
  compilation.enable_cache()
  if _DIGEST.value:
    print(_digest(_play(_DIGEST.value, _EPISODES.value)))
    return
  for engine in _ENGINES.value:
    first, second = _in_process(engine), _in_process(engine)
    print(f"{engine}: two processes equal to the bit: {first == second}")
    batch, alone = _play(engine, _EPISODES.value), _play(engine, 1)
    states = np.abs(batch.qpos[0] - alone.qpos[0])
    pixels = np.abs(batch.frames[0].astype(int) - alone.frames[0].astype(int))
    print(
      f"{engine}: alone and in a batch of {_EPISODES.value}: states differ by"
      f" {states[20].max():.1e} at step 20, {states[60].max():.1e} at step 60;"
      f" {(pixels > 0).mean():.1e} of the pixels differ, by at most"
      f" {pixels.max()} of 255",
      flush=True,
    )


if __name__ == "__main__":
  app.run(main)
