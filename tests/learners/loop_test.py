"""The training loop on a toy method: exact whatever stops it.

Run as a program, this file trains the toy and kills itself on the way.
"""

import collections
import functools
import os
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r.core import checkpoint, parallel, signals, writer
from a2r.core import rng as rng_lib
from a2r.learners import base, loop

_TRACES = collections.Counter()
_SPEEDS = ("steps_per_second", "data_wait")
_WEIGHTS = np.array([1.0, -2.0, 0.5], np.float32)


def _init(rng):
  params = {"w": 0.1 * jax.random.normal(rng, (3,))}
  return params, {"center": np.zeros(3, np.float32)}


def _loss_fn(params, extra, batch, rng, axis_name):
  """Regression over the global batch, with noise and a pull to the center."""
  _TRACES["loss"] += 1
  inputs = parallel.all_gather(batch["inputs"], axis_name)
  targets = parallel.all_gather(batch["targets"], axis_name)
  noise = 0.01 * jax.random.normal(rng, targets.shape)
  fit = jnp.mean(jnp.square(inputs @ params["w"] - targets - noise))
  pull = 1e-3 * jnp.sum(jnp.square(params["w"] - extra["center"]))
  return fit + pull, {"fit": fit, "pull": pull}


def _on_epoch(params, extra, epoch):
  return {"center": 0.5 * (extra["center"] + params["w"])}, {"moved": 1 / epoch}


def _batches(start_step, *, at=None, do=None):
  """Batches from `start_step` on; `do` happens when batch `at` is asked for."""
  step = start_step
  while True:
    if step == at:
      do()
    rng = np.random.default_rng(step)
    inputs = rng.normal(size=(8, 3)).astype(np.float32)
    yield {"inputs": inputs, "targets": inputs @ _WEIGHTS}
    step += 1


def _train(workdir, *, batches_fn=_batches, **overrides):
  clocks = {
    "num_steps": 16,
    "epoch_steps": 8,
    "log_every": 5,
    "checkpoint_every": 6,
  }
  for name in clocks.keys() & overrides.keys():
    clocks[name] = overrides.pop(name)
  options = {
    "workdir": str(workdir),
    "seed": 3,
    "validate_fn": lambda params, extra: {
      "validation/fit": -float(np.sum((params["w"] - _WEIGHTS) ** 2))
    },
    "best_metric": "validation/fit",
    "items": {"config": {"name": "toy"}},
  }
  learner = overrides.pop("learner", base.Learner(_init, _loss_fn, _on_epoch))
  return loop.train(
    learner,
    optax.adam(0.1),
    batches_fn,
    loop.Clocks(**clocks),
    **(options | overrides),
  )


def _rows(workdir):
  """The rows without what differs from run to run."""
  return [
    {k: v for k, v in row.items() if k not in _SPEEDS}
    for row in writer.read(workdir)
  ]


def _assert_same_run(workdir, state, other_workdir, other):
  for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(other), strict=True):
    assert a.dtype == b.dtype
    assert a.tobytes() == b.tobytes()
  assert _rows(workdir) == _rows(other_workdir)


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory):
  """A run that nothing stopped."""
  workdir = tmp_path_factory.mktemp("whole")
  _TRACES.clear()
  state = _train(workdir)
  return workdir, state, _TRACES["loss"]


def test_the_toy_is_learned_and_the_step_compiled_once(whole):
  _, state, traces = whole
  assert traces == 1
  assert int(state.step) == 16
  np.testing.assert_allclose(state.params["w"], _WEIGHTS, atol=0.9)


def test_rows_and_checkpoints_are_where_they_belong(whole):
  workdir, _, _ = whole
  rows = writer.read(workdir)
  assert [row["step"] for row in rows if "loss" in row] == [5, 10, 15, 16]
  assert set(rows[0]) == {"step", "loss", "fit", "pull", "grad_norm", *_SPEEDS}
  assert all(0 <= row["data_wait"] <= 1 for row in rows if "loss" in row)
  hooks = [(row["step"], row["epoch"]) for row in rows if "epoch" in row]
  assert hooks == [(8, 1), (16, 2)]
  assert [row["step"] for row in rows if "validation/fit" in row] == [8, 16]
  saved = checkpoint.load(workdir, items=("config",))
  assert saved.items == {"config": {"name": "toy"}}
  assert saved.step == 16


def test_another_seed_gives_other_bits(whole, tmp_path):
  other = _train(tmp_path, seed=4)
  assert not np.array_equal(other.params["w"], whole[1].params["w"])


@pytest.mark.parametrize("step", [7, 8])
def test_a_request_to_stop_ends_the_step_and_is_resumed(whole, tmp_path, step):
  ask = functools.partial(os.kill, os.getpid(), signal.SIGTERM)
  batches_fn = functools.partial(_batches, at=step - 1, do=ask)
  with pytest.raises(signals.StopRequested, match=f"step {step} of 16"):
    _train(tmp_path, batches_fn=batches_fn)
  assert checkpoint.load(tmp_path, which="newest").step == step
  _assert_same_run(*whole[:2], tmp_path, _train(tmp_path))


def test_a_run_is_finished_at_its_last_step(whole, tmp_path):
  assert loop.is_finished(whole[0], 16)
  assert not loop.is_finished(whole[0], 17)
  assert not loop.is_finished(tmp_path, 1)


def test_a_longer_run_goes_on_where_a_shorter_ended(whole, tmp_path):
  # The schedule is constant here; the short run ends at an epoch.
  _train(tmp_path, num_steps=8)
  state = _train(tmp_path)
  np.testing.assert_array_equal(state.params["w"], whole[1].params["w"])
  again = _train(tmp_path, batches_fn=lambda step: pytest.fail("no batches"))
  assert int(again.step) == 16


@pytest.mark.parametrize("where", ["step", "write"])
def test_a_killed_run_ends_with_the_same_bits(whole, tmp_path, where):
  command = [sys.executable, __file__, str(tmp_path), where]
  env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
  done = subprocess.run(command, env=env, check=False)
  assert done.returncode == -signal.SIGKILL
  assert len(_rows(tmp_path)) > 2
  _assert_same_run(*whole[:2], tmp_path, _train(tmp_path))


@pytest.fixture
def one_device(monkeypatch):
  devices = jax.local_devices()[:1]
  monkeypatch.setattr(jax, "local_devices", lambda: devices)


def test_one_device_and_eight_agree(whole, tmp_path, one_device):
  one = _train(tmp_path)
  np.testing.assert_allclose(one.params["w"], whole[1].params["w"], rtol=1e-4)
  for row, other in zip(_rows(tmp_path), _rows(whole[0]), strict=True):
    for name in row:
      np.testing.assert_allclose(row[name], other[name], rtol=2e-4)
  first, second = (writer.read(d)[0]["loss"] for d in (tmp_path, whole[0]))
  np.testing.assert_allclose(first, second, rtol=1e-5)


@pytest.mark.parametrize("seed", [-1, 2**40 + 3])
def test_keys_are_those_of_the_seed(tmp_path, seed):
  def loss_fn(params, extra, batch, rng, axis_name):
    noise = jax.random.normal(rng, (3,))
    return jnp.sum(params["w"] * noise), {"first": noise[0]}

  learner = base.Learner(_init, loss_fn)
  _train(tmp_path, learner=learner, seed=seed, num_steps=1)
  expected = jax.random.normal(rng_lib.step_key(seed, 0), (3,))[0]
  first = writer.read(tmp_path)[0]["first"]
  np.testing.assert_allclose(first, expected, rtol=1e-6)


def test_runs_of_two_seeds_are_one_program(tmp_path, monkeypatch):
  programs = []
  pmap_step = parallel.pmap_step

  def record(step_fn):
    stepped = pmap_step(step_fn)

    def step(*args):
      programs.append(stepped.lower(*args).as_text())
      return stepped(*args)

    return step

  monkeypatch.setattr(parallel, "pmap_step", record)
  for seed in (0, 1):
    _train(tmp_path / str(seed), seed=seed, num_steps=1)
  assert programs[0] == programs[1]


def test_a_clock_goes_forward():
  clocks = dict(num_steps=1, epoch_steps=1, log_every=1, checkpoint_every=1)
  for name in clocks:
    # A run of no steps is one; its clocks do not stand still.
    least = 0 if name == "num_steps" else 1
    loop.Clocks(**clocks | {name: least})
    with pytest.raises(ValueError, match=f"train.{name}"):
      loop.Clocks(**clocks | {name: least - 1})


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
  def batches(start_step):
    for step, batch in enumerate(_batches(start_step), start=start_step):
      if step == 6:
        batch["targets"][0] = np.nan
      yield batch

  with pytest.raises(FloatingPointError, match=r"step 7: .*fit = nan") as info:
    _train(tmp_path, batches_fn=batches)
  assert "pull" not in str(info.value)
  assert checkpoint.load(tmp_path, which="newest").step == 6


def test_what_init_returned_is_not_overwritten(tmp_path, one_device):
  kept = {"w": np.full(3, 0.5, np.float32)}
  extra = {"center": np.zeros(3, np.float32)}
  learner = base.Learner(lambda rng: (kept, extra), _loss_fn, _on_epoch)
  _train(tmp_path, learner=learner, num_steps=2)
  np.testing.assert_array_equal(kept["w"], 0.5)
  np.testing.assert_array_equal(extra["center"], 0)


def test_an_unknown_best_metric_lists_the_known(tmp_path):
  with pytest.raises(KeyError, match="validation/fit"):
    _train(tmp_path, best_metric="auroc", num_steps=1)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
  _train(tmp_path, num_steps=1)
  other = base.Learner(
    lambda rng: ({"w": np.zeros(4, np.float32)}, {"center": np.zeros(3)}),
    _loss_fn,
  )
  with pytest.raises(ValueError, match=r"w: stored float32\[3\], the model"):
    _train(tmp_path, learner=other)


def _main(workdir, where):
  """Trains the toy until a kill: between steps, or inside a save."""

  def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

  if where == "step":
    _train(workdir, batches_fn=functools.partial(_batches, at=13, do=kill))
  from orbax.checkpoint._src.path import atomicity

  finalize = atomicity.AtomicRenameTemporaryPath.finalize

  def finalize_or_kill(self, *args, **kwargs):
    final = self.get_final().name
    return kill() if final == "12" else finalize(self, *args, **kwargs)

  atomicity.AtomicRenameTemporaryPath.finalize = finalize_or_kill
  _train(workdir)


if __name__ == "__main__":
  _main(*sys.argv[1:])
