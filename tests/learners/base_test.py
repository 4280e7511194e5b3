"""The step that all methods share: seeds are data, keys those of the seed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r.core import parallel
from a2r.core import rng as rng_lib
from a2r.learners import base
from a2r.learners import state as state_lib

SEEDS = (0, 1, 2**31 + 5, 2**32 - 1, -1, 2**40 + 3)


def loss_fn(params, extra, batch, rng, axis_name):
  del extra, batch, axis_name
  noise = jax.random.normal(rng, params.shape)
  return jnp.sum(params * noise), {"first": noise[0]}


LEARNER = base.Learner(init=None, loss_fn=loss_fn)


def first_noise(seed):
  optimizer = optax.sgd(0.1)
  state = state_lib.create(jnp.ones(3), {}, optimizer)
  step = base.make_parallel_step(LEARNER, optimizer, seed, 2)
  batch = parallel.shard({"x": np.zeros(2)}, 2)
  _, metrics = step(parallel.replicate(state, 2), batch)
  return parallel.unreplicate(metrics)["first"]


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_are_those_of_the_seed(seed):
  key = rng_lib.step_key(seed, 0)
  np.testing.assert_array_equal(
    first_noise(seed), jax.random.normal(key, (3,))[0]
  )


def test_runs_of_two_seeds_are_one_program(monkeypatch):
  programs = []
  pmap_step = parallel.pmap_step

  def record(step_fn):
    stepped = pmap_step(step_fn)

    def step(*args):
      programs.append(stepped.lower(*args).as_text())
      return stepped(*args)

    return step

  monkeypatch.setattr(parallel, "pmap_step", record)
  first, second = first_noise(0), first_noise(1)
  assert first != second
  assert programs[0] == programs[1]
