"""Stage 2 at the published size: time, memory and arithmetic of a step.

  python -m benchmarks.paper_step --compile_only   # memory, no time
  python -m benchmarks.paper_step --variants=bfloat16 --peak_tflops=989

One device, batches of 24 clips (8 human, 8 robot, 8 failed) of 4 frames of 224
pixels, the four losses, AdamW. Three figures of memory: `arguments_gb` is the
state (parameters, two moments) and the batch; `temporaries_gb` what this
backend's XLA plans besides; `saved_gb` what the gradients need of the forward
pass, summed over the program, on any device the same. (XLA on a CPU widens
bfloat16 and undoes remat: there `temporaries_gb` tells little of a GPU.)
Arithmetic is counted on the program before it is compiled, without what remat
and micro-batches do twice: the share of the peak is that of useful work. Needs
neither TensorFlow nor MuJoCo.
"""

import functools
import time
import types
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags

from a2r.core import checks, compilation, optim
from a2r.learners import (
  adapt2reward,
  base,
  encoding,
  failure_clusters,
  loop,
)
from a2r.models import adapt2reward as net
from a2r.models import scorer
from a2r.models.singularity import singularity
from benchmarks import results

VARIANTS = {
  "float32": {},
  "bfloat16": {"dtype": "bfloat16"},
  "bfloat16+remat": {"dtype": "bfloat16", "remat": True},
  "bfloat16+micro_batch": {"dtype": "bfloat16", "micro_batch": 6},
  "float32+micro_batch": {"micro_batch": 6},
}
_TASKS, _FAILURES, _LENGTH = 4, 12, 12

_VARIANTS = flags.DEFINE_list("variants", None, "Some of the variants.")
_GROUP = flags.DEFINE_integer("group", 8, "Clips of each of three groups.", 1)
_STEPS = flags.DEFINE_integer("steps", 10, "Steps that are timed.", 1)
_CLIPS = flags.DEFINE_integer("score", 64, "Clips scored at once; 0: none.", 0)
_COMPILE_ONLY = flags.DEFINE_bool("compile_only", False, "No steps, no scores.")
_PEAK = flags.DEFINE_float("peak_tflops", None, "The device's; for the share.")


class _Program(NamedTuple):
  """A variant: its model, step and loss, and the shapes of their arguments."""

  model: net.Adapt2Reward
  step: Any
  loss_fn: Any
  state: Any
  batch: Any


def _make(group: int, *, micro_batch=0, **sizes) -> _Program:
  model = net.Adapt2Reward(singularity.Config(**sizes), num_tasks=_TASKS)
  ids = np.tile(np.arange(1, _LENGTH + 1, dtype=np.int32), (7, 1))
  shape = (model.config.num_frames, *[model.config.image_size] * 2, 3)
  setup = base.Setup(
    model=model,
    tokenizer=lambda texts, length: (ids, np.ones_like(ids)),
    max_length=_LENGTH,
    init_fn=functools.partial(singularity.init_params, model),
    labels=[],
    texts=[],
    num_trained=_TASKS,
    clips=types.SimpleNamespace(
      frames=lambda part: np.zeros((_FAILURES, *shape), np.uint8),
      tasks=lambda part: np.arange(_FAILURES) % _TASKS,
    ),
    temperature=0.07,
    augmentation=encoding.Augmentation("crop_color", crop=0.15, color=0.5),
    micro_batch=micro_batch,
  )
  settings = adapt2reward.Settings(dict.fromkeys(adapt2reward.TERMS, 1.0), 0.07)
  learner = adapt2reward.make(setup, settings).learner
  optimizer = optim.make_optimizer(
    learning_rate=1e-5,
    warmup_steps=2,
    num_steps=1000,
    weight_decay=0.02,
    clip_norm=1.0,
  )
  extra = failure_clusters.unclustered(model, _FAILURES)
  extra["cluster_labels"] = np.zeros(_FAILURES, np.int32)
  state = jax.eval_shape(
    lambda p: base.create_state(p, extra, optimizer),
    net.params_like(model),
  )
  part = {
    "frames": jax.ShapeDtypeStruct((group, *shape), jnp.uint8),
    "task": jax.ShapeDtypeStruct((group,), jnp.int32),
    "record": jax.ShapeDtypeStruct((group,), jnp.int32),
  }
  batch = {name: part for name in ("human", "robot", "failure")}
  step = loop.make_step_fn(learner, optimizer, None)
  step = jax.jit(functools.partial(step, seed=0), donate_argnums=0)
  return _Program(model, step, learner.loss_fn, state, batch)


def _fill(shapes, rng):
  """Arrays of small random numbers; integers are below the robot tasks."""

  def fill(x):
    if jnp.issubdtype(x.dtype, jnp.floating):
      values = 0.02 * rng.standard_normal(x.shape, np.float32)
      return jnp.asarray(np.abs(values), x.dtype)
    high = 256 if x.dtype == jnp.uint8 else _TASKS
    return jnp.asarray(rng.integers(0, high, x.shape), x.dtype)

  return jax.tree.map(fill, shapes)


def _flops(**sizes) -> float:
  """Operations of a step that computes nothing twice."""
  sizes = {k: v for k, v in sizes.items() if k not in ("remat", "micro_batch")}
  program = _make(_GROUP.value, **sizes)
  lowered = program.step.lower(program.state, program.batch)
  return lowered.cost_analysis()["flops"]


def _saved_bytes(micro_batch=0, **sizes) -> int:
  """What the forward pass leaves for the gradients, parameters included."""

  def saved(group, micro_batch):
    program = _make(group, micro_batch=micro_batch, **sizes)

    def pullback(params, extra, batch):
      rng = jax.random.key(0)
      return jax.vjp(
        lambda p: program.loss_fn(p, extra, batch, rng, None)[0], params
      )[1]

    state = program.state
    kept = jax.eval_shape(pullback, state.params, state.extra, program.batch)
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(kept))

  if not micro_batch:
    return saved(_GROUP.value, None)
  # The whole batch keeps pictures; one part at a time its activations too.
  return saved(_GROUP.value, micro_batch) + saved(micro_batch // 3, 0)


def _measure(name: str) -> dict:
  """One row: what a step of the variant takes."""
  sizes = VARIANTS[name]
  model, step, _, state, batch = _make(_GROUP.value, **sizes)
  begin = time.perf_counter()
  compiled = step.lower(state, batch).compile()
  seconds = time.perf_counter() - begin
  memory = compiled.memory_analysis()
  row = {
    "compile_seconds": seconds,
    "arguments_gb": memory.argument_size_in_bytes / 1e9,
    "temporaries_gb": memory.temp_size_in_bytes / 1e9,
    "saved_gb": _saved_bytes(**sizes) / 1e9,
    "step_tflop": _flops(**sizes) / 1e12,
  }
  if not _COMPILE_ONLY.value:
    rng = np.random.default_rng(0)
    state, batch = _fill(state, rng), _fill(batch, rng)
    row |= _time_steps(compiled, state, batch, row["step_tflop"])
    if _CLIPS.value:
      row |= _time_scores(model, rng)
  row = {"variant": name} | {k: round(v, 4) for k, v in row.items()}
  print(row, flush=True)
  return row


def _time_steps(compiled, state, batch, tflop) -> dict:
  """Seconds of a step; the batch is on the device already."""
  state, _ = jax.block_until_ready(compiled(state, batch))
  begin = time.perf_counter()
  for _ in range(_STEPS.value):
    state, metrics = compiled(state, batch)
  jax.block_until_ready(metrics)
  seconds = (time.perf_counter() - begin) / _STEPS.value
  row = {"step_seconds": seconds, "tflops": tflop / seconds}
  if _PEAK.value:
    row["share_of_peak"] = row["tflops"] / _PEAK.value
  norm = float(optax.tree.norm(state.params))
  if not np.isfinite(norm):
    raise FloatingPointError("the timed steps made parameters not finite")
  return row


def _time_scores(model, rng) -> dict:
  """Clips per second of the video feature, from uint8 on the device."""
  params = _fill(net.params_like(model), rng)
  size = model.config.image_size
  shape = (_CLIPS.value, model.config.num_frames, size, size, 3)
  encode = jax.jit(scorer.EncodeVideo(model))
  clips = _fill(jax.ShapeDtypeStruct(shape, jnp.uint8), rng)
  jax.block_until_ready(encode({"model": params}, clips))
  begin = time.perf_counter()
  for _ in range(_STEPS.value):
    features = encode({"model": params}, clips)
  jax.block_until_ready(features)
  seconds = time.perf_counter() - begin
  return {"scored_clips_per_second": _STEPS.value * _CLIPS.value / seconds}


def main(_):
  """Prints the rows and writes them to benchmarks/results."""
  compilation.enable_cache()
  names = _VARIANTS.value or list(VARIANTS)
  checks.each_of("variant", names, VARIANTS)
  rows = [_measure(name) for name in names]
  name = "paper_memory" if _COMPILE_ONLY.value else "paper_step"
  results.write(name, rows, batch_size=3 * _GROUP.value)


if __name__ == "__main__":
  app.run(main)
