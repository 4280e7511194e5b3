"""The learner on a tiny model: devices, switches, clusters, learning."""

import functools

import chex
import jax
import numpy as np
import optax
import pytest

from a2r.learners import (
  adapt2reward,
  encoding,
  failure_clusters,
)
from a2r.models import adapt2reward as net
from tests import tiny

M, K, NUM_FAILURES = 2, 2, 10
CONFIG = tiny.config()
IDS = np.array([[1, 4, 5], [1, 6, 0], [1, 7, 8], [1, 9, 5]], np.int32)
WEIGHTS = dict(cdc=1.0, vlc=0.5, fvlc=2.0, bce=0.25)
TASKS = np.arange(NUM_FAILURES) % M
# Failures of a task are of two looks: dark and bright.
LOOKS = np.arange(NUM_FAILURES) // M % 2


def failed_clips():
  draw = np.random.default_rng(0)
  shape = (NUM_FAILURES, 2, 8, 8, 3)
  base_level = np.where(LOOKS, 200, 20).reshape(-1, 1, 1, 1, 1)
  return (base_level + draw.integers(0, 20, shape)).astype(np.uint8)


def make_model(num_failure_prompts=K):
  return net.Adapt2Reward(
    CONFIG,
    M,
    num_failure_prompts,
    failure_prompt_length=2,
    domain_prompt_length=2,
  )


def make_learner(
  num_failure_prompts=K,
  *,
  weights=WEIGHTS,
  temperature=0.1,
  ids=IDS,
  task=TASKS,
  frames=None,
  **changes,
):
  frames = failed_clips() if frames is None else frames
  setup = tiny.make_setup(
    make_model(num_failure_prompts),
    ids,
    clips=tiny.Clips(task, frames),
    **changes,
  )
  settings = adapt2reward.Settings(weights, temperature)
  return adapt2reward.make(setup, settings).learner


def make_batch(size=8):
  draw = np.random.default_rng(1)

  def part(num_tasks):
    return {
      "frames": draw.integers(0, 256, (size, 2, 8, 8, 3)).astype(np.uint8),
      "task": draw.integers(0, num_tasks, size).astype(np.int32),
      "record": draw.integers(0, NUM_FAILURES, size).astype(np.int32),
    }

  batch = {"human": part(len(IDS)), "robot": part(M), "failure": part(M)}
  batch["failure"]["task"] = TASKS[batch["failure"]["record"]]
  return batch


@functools.cache
def fresh():
  """Learner, parameters and extra; numpy draws faster than flax compiles."""
  params = tiny.draw_like(net.params_like(make_model()), seed=2)
  learner = make_learner(init_fn=lambda rng: params)
  return learner, *learner.init(jax.random.key(0))


def test_eight_devices_equal_one_and_training_learns():
  learner, params, extra = fresh()
  traces, rate = [], 1e-3

  def loss_fn(*args):
    traces.append(1)
    return learner.loss_fn(*args)

  start = learner._replace(loss_fn=loss_fn), params, extra, make_batch()
  (eight,), state = tiny.make_runner(*start, 8, optax.sgd(rate))(1)
  after = jax.tree.map(lambda x: x[0], state.params)
  chex.assert_trees_all_equal(after, jax.tree.map(lambda x: x[7], state.params))

  traces.clear()
  run = tiny.make_runner(*start, 1, optax.sgd(rate))
  (one,), state = run(1)
  alone = jax.tree.map(lambda x: x[0], state.params)
  for name in one:
    np.testing.assert_allclose(eight[name], one[name], rtol=1e-5, err_msg=name)
  gradients = [
    jax.tree.map(lambda x, y: (x - y) / rate, params, tree)
    for tree in (after, alone)
  ]
  jax.tree.map(_assert_close_gradients, *gradients)
  _assert_no_idle_parameters(gradients[1])
  weighted = sum(WEIGHTS[name] * one[name] for name in WEIGHTS)
  np.testing.assert_allclose(one["loss"], weighted, rtol=1e-6)

  history, _ = run(30)
  assert len(traces) == 1
  losses = [row["loss"] for row in history]
  assert np.mean(losses[-5:]) < 0.85 * losses[0]


def _assert_close_gradients(left, right):
  # A difference of parameters rounds them: some 1e-7 / rate.
  scale = max(np.abs(right).max(), 1.0)
  np.testing.assert_allclose(left, right, atol=1e-4 * scale + 1e-4)


def _assert_no_idle_parameters(gradients):
  idle = {
    jax.tree_util.keystr(path, simple=True, separator="/")
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients)
    if np.abs(gradient).max() < 1e-3
  }
  # What the reward does not look at, and a key's bias, which shifts all
  # logits of a softmax alike.
  known = ("backbone/temp", "vision_layernorm", "cls_token", "key/bias")
  assert not {n for n in idle if not any(k in n for k in known)}, idle


@pytest.mark.parametrize(
  "weights, terms",
  [
    (dict(cdc=1, vlc=1, fvlc=0, bce=0), {"cdc", "vlc"}),
    (dict(cdc=1, vlc=1, fvlc=0, bce=1), {"cdc", "vlc", "bce"}),
    (dict(cdc=1, vlc=1, fvlc=1, bce=0), {"cdc", "vlc", "fvlc"}),
    (dict(cdc=0, vlc=1, fvlc=1, bce=1), {"vlc", "fvlc", "bce"}),
  ],
)
def test_a_weight_of_zero_skips_the_term(weights, terms):
  # A model without failure prompts raises if it is asked for their texts.
  num_failure_prompts = K if weights["fvlc"] else 0
  learner = make_learner(num_failure_prompts, weights=weights)
  batch = make_batch(2)
  if not {"fvlc", "bce"} & terms:
    del batch["failure"]
  params, extra = fresh()[1:]
  params = dict(params)
  if not num_failure_prompts:
    params["prompts"] = {
      k: v for k, v in params["prompts"].items() if k != "failure"
    }
  loss, metrics = jax.eval_shape(
    lambda *args: learner.loss_fn(*args, None),
    params,
    extra,
    batch,
    jax.random.key(0),
  )
  assert loss.shape == () and loss.dtype == np.float32
  names = {"accuracy", "temperature"} | terms
  if "fvlc" in terms:
    names.add("failure_accuracy")
  assert set(metrics) == names
  assert (learner.on_epoch is None) == (weights["fvlc"] == 0)


def test_without_failure_prompts_extra_says_so():
  _, params, _ = fresh()
  weights = WEIGHTS | {"fvlc": 0.0}
  learner = make_learner(weights=weights, init_fn=lambda rng: params)
  same, extra = learner.init(jax.random.key(1))
  assert same is params
  np.testing.assert_array_equal(extra["cluster_labels"], [-1] * NUM_FAILURES)
  assert extra["centers"].shape == (M, K, 8)


def test_first_clusters_find_the_looks():
  _, _, extra = fresh()
  assert extra["centers"].shape == (M, K, 8)
  assert extra["centers"].dtype == np.float32
  labels = extra["cluster_labels"]
  assert labels.dtype == np.int32 and labels.shape == (NUM_FAILURES,)
  for task in range(M):
    looks, found = LOOKS[task == TASKS], labels[task == TASKS]
    assert (found == looks).all() or (found == 1 - looks).all()


def test_epoch_keeps_clusters_and_follows_a_renumbering(monkeypatch):
  learner, params, extra = fresh()
  again, metrics = learner.on_epoch(params, extra, 1)
  chex.assert_trees_all_close(again, extra, atol=1e-5)
  chex.assert_trees_all_equal_shapes_and_dtypes(again, extra)
  assert metrics["clusters/changed"] == 0.0
  assert metrics["clusters/smallest"] == 0.4  # Two of a task's five clips.
  assert 0 <= metrics["clusters/objective"] < 1
  swapped = {
    "centers": extra["centers"][:, ::-1],
    "cluster_labels": 1 - extra["cluster_labels"],
  }
  again, metrics = learner.on_epoch(params, swapped, 1)
  np.testing.assert_array_equal(
    again["cluster_labels"], swapped["cluster_labels"]
  )
  assert metrics["clusters/changed"] == 0.0
  monkeypatch.setattr(failure_clusters, "_CHUNK", 4)
  chunked, _ = learner.on_epoch(params, extra, 1)
  chex.assert_trees_all_close(chunked, extra, atol=1e-5)


@pytest.mark.parametrize(
  "changes, named",
  [
    (dict(weights=dict(cdc=0, vlc=0, fvlc=0, bce=0)), "loss.weights.*not all"),
    (dict(weights=WEIGHTS | {"fvlcc": 1}), "fvlcc"),
    (dict(weights=WEIGHTS | {"bce": -1}), "loss.weights"),
    (dict(temperature=0), "loss.temperature"),
    (dict(task=np.zeros(NUM_FAILURES, int)), r"tasks \[1\]"),
    (dict(task=np.arange(NUM_FAILURES) % 3), r"tasks \[2\]"),
    (dict(ids=IDS[:1]), "1 instructions"),
    (dict(ids=IDS * [[1], [1], [0], [1]]), r"instructions \[2\]"),
  ],
)
def test_mistakes_are_named(changes, named):
  with pytest.raises(ValueError, match=named):
    make_learner(**changes)


@pytest.mark.slow
def test_micro_batches_change_neither_loss_nor_gradients():
  _, params, extra = fresh()

  def value_and_grad(micro_batch):
    loss_fn = make_learner(micro_batch=micro_batch).loss_fn
    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (loss, _), grads = jax.jit(grad_fn, static_argnums=4)(
      params, extra, make_batch(4), jax.random.key(0), None
    )
    return loss, grads

  whole, parts = value_and_grad(0), value_and_grad(3)
  chex.assert_trees_all_close(parts, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("is_published, crop", [(True, 0.9), (False, 0.1)])
def test_clips_are_mirrored_only_where_they_may_be(is_published, crop):
  clips = np.random.default_rng(0).integers(0, 256, (64, 2, 8, 8, 3), np.uint8)
  clips[..., :4, :] //= 4  # Dark left halves: a crop keeps them so.
  tasks = np.arange(64) % 2
  augment = encoding.Augment(crop, crop, 0.0, (True, False), is_published)
  keys = jax.random.split(jax.random.key(0), 64)
  frames = np.asarray(jax.jit(jax.vmap(augment))(keys, clips, tasks))
  assert frames.shape == clips.shape
  assert frames.min() >= -1 and frames.max() <= 1
  mirrored = frames[..., 0, :].mean((1, 2, 3)) > frames[..., -1, :].mean(
    (1, 2, 3)
  )
  assert not mirrored[tasks == 1].any()
  assert 8 < mirrored[tasks == 0].sum() < 24


def test_published_augmentation_reaches_the_loss():
  _, params, extra = fresh()
  loss_fn = make_learner(may_mirror=(True,) * 4, micro_batch=3).loss_fn
  # Traced alone: what it computes is tested above.
  loss_fn = functools.partial(loss_fn, axis_name=None)
  loss, _ = jax.eval_shape(
    loss_fn, params, extra, make_batch(4), jax.random.key(0)
  )
  assert loss.shape == ()
