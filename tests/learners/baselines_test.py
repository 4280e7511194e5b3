"""The methods to compare with, on a tiny backbone: devices and learning."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r.core import files
from a2r.learners import (
  base,
  concept2robot,
  dvd,
  encoding,
  liv,
  loop,
  registry,
  triplet,
)
from a2r.models import adapt2reward as net
from a2r.models import saved, scorer
from tests import tiny

CONFIG = tiny.config(num_frames=3)
IDS = np.array([[1, 4, 5, 0], [1, 6, 0, 0], [1, 7, 8, 0], [1, 9, 5, 0]])
AUGMENT = encoding.Augment(crop=0.1, color=0.1)
# The human, robot and failed clips of each method's batches.
SIZES = {
  "concept2robot": {"human": 8},
  "liv": {"human": 8, "robot": 8},
  "triplet": {"human": 8, "robot": 8, "failure": 8},
  "dvd": {},
}


DVD = dvd.Settings(
  steps=1, num_views=1, num_demos=1, batch_size=16, robot_probability=0.5,
  optim={},
)  # fmt: skip


@functools.cache
def backbone():
  shapes = net.params_like(encoding.plain_model(CONFIG))["backbone"]
  return tiny.draw_like(shapes, seed=2)


def make_learner(method):
  if method == "dvd":
    return dvd.make_learner(backbone(), features()[0])
  settings = {
    "concept2robot": concept2robot.Settings((), 1, "log_odds"),
    "liv": liv.Settings(dict(clip=1.0, vision=0.5, lang=1.0), 0.98, 2),
    "triplet": triplet.Settings(margin=0.2),
  }[method]
  setup = tiny.make_setup(
    encoding.plain_model(CONFIG),
    IDS,
    init_fn=lambda rng: {"backbone": backbone()},
    augmentation=encoding.Augmentation("crop_color", 0.1, 0.1),
  )
  return registry.METHODS[method].make(setup, settings).learner


def make_run(params, settings=None, **spec):
  return saved.Run(None, CONFIG, settings, spec, None, params)


def features():
  """Two views of 16 clips of two tasks, their tasks and domains."""
  draw = np.random.default_rng(0)
  task = np.arange(16) % 2
  means = draw.normal(size=(2, 8))
  x = means[task] + 0.1 * draw.normal(size=(2, 16, 8))
  return x.astype(np.float32), task, np.arange(16) >= 8


def make_batch(method):
  if method == "dvd":
    return next(make_triplets(num_steps=1))
  draw = np.random.default_rng(1)

  def part(size):
    return {
      "frames": draw.integers(0, 256, (size, 3, 8, 8, 3)).astype(np.uint8),
      "task": draw.integers(0, len(IDS), size).astype(np.int32),
      "record": np.arange(size, dtype=np.int32),
    }

  return {name: part(size) for name, size in SIZES[method].items()}


def make_triplets(clips=None, *, batch_size=16, seed=0, start=0, num_steps):
  """The batches of DVD from the step `start` on."""
  settings = dataclasses.replace(DVD, batch_size=batch_size)
  return dvd.make_batches(
    *(clips or features()), settings,
    seed=seed, start_step=start, num_steps=num_steps,
  )  # fmt: skip


def make_runner(method, num_devices, rate, batch=None):
  """Returns `tiny.make_runner`'s function, and the first parameters."""
  learner = make_learner(method)
  params, extra = learner.init(jax.random.key(0))
  batch = make_batch(method) if batch is None else batch
  optimizer = optax.sgd(rate)
  run = tiny.make_runner(learner, params, extra, batch, num_devices, optimizer)
  return run, params


@pytest.mark.parametrize(
  "method",
  [
    "concept2robot",
    "dvd",
    pytest.param("liv", marks=pytest.mark.slow),
    pytest.param("triplet", marks=pytest.mark.slow),
  ],
)
def test_eight_devices_equal_one_and_training_learns(method):
  rate = {"dvd": 0.1, "triplet": 0.3}.get(method, 1e-2)
  (eight,), after = make_runner(method, 8, rate)[0](1)
  run, params = make_runner(method, 1, rate)
  (one,), alone = run(1)
  after, alone = (
    jax.tree.map(lambda x: x[0], s.params) for s in (after, alone)
  )
  for name in one:
    np.testing.assert_allclose(
      eight[name], one[name], rtol=1e-4, atol=1e-6, err_msg=name
    )
  chex.assert_trees_all_close(after, alone, rtol=1e-4, atol=1e-4 * rate)
  moved = jax.tree.map(lambda x, y: np.abs(x - y).max() > 0, params, alone)
  if method == "concept2robot":  # It has no use for texts.
    moved["backbone"] = {k: moved["backbone"][k] for k in ("stem",)}
  assert np.mean(jax.tree.leaves(moved)) > 0.6, moved
  history, _ = run(40)
  chex.assert_tree_all_finite(history)
  first, last = history[0]["loss"], np.mean([h["loss"] for h in history[-5:]])
  assert last < first - 0.1 * abs(first)


def test_concept2robot_learns_classes_and_scores_them():
  draw = np.random.default_rng(3)
  task = np.arange(16) % 4
  colors = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 250]])
  frames = np.broadcast_to(
    colors[task][:, None, None, None], (16, 3, 8, 8, 3)
  ) - draw.integers(-5, 1, (16, 3, 8, 8, 3)).clip(-5, 0)
  frames = frames.clip(0, 255).astype(np.uint8)
  human = {"frames": frames, "task": task.astype(np.int32)}
  human["record"] = task.astype(np.int32)
  run, _ = make_runner("concept2robot", 1, 0.1, {"human": human})
  history, state = run(150)
  assert history[-1]["accuracy"] > 0.9
  judge = concept2robot.make_scorer(
    make_run(
      jax.tree.map(lambda x: x[0], state.params),
      {"concept2robot": {"score": "log_odds"}, "loss": {"temperature": 0.1}},
      classes=["a", "b", "c", "d"],
      readings={"red": "a", "blue": "c", "green": "b"},
    )
  )
  scores = scorer.scores(judge, frames, ["blue", "Red"])
  np.testing.assert_array_equal(scores[:, 0].argsort()[-4:] % 4, [2] * 4)
  np.testing.assert_array_equal(scores[:, 1].argsort()[-4:] % 4, [0] * 4)
  with pytest.raises(KeyError, match="'white'.*'red', 'blue'"):
    judge.context_fn(["white"])


def test_triplets_of_failures_where_there_are_some():
  chosen = triplet.choose_negatives(
    jnp.array([0, 1, 2]),
    jnp.array([0, 1, 2, 0, 0, 1]),
    np.array([False, False, False, True, True, True]),
  )
  np.testing.assert_array_equal(
    chosen, [[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0]]
  )


@pytest.mark.parametrize("parts", [("robot",), ("human", "robot")])
def test_triplets_without_some_parts(parts):
  batch = {name: make_batch("triplet")[name] for name in parts}
  learner = make_learner("triplet")
  params, extra = learner.init(jax.random.key(0))
  loss, metrics = jax.jit(learner.loss_fn, static_argnums=4)(
    params, extra, batch, jax.random.key(0), None
  )
  assert np.isfinite(loss) and metrics["with_failure"] == 0


def test_liv_takes_the_frames_it_says():
  clips = np.arange(5, dtype=np.uint8)[None, :, None, None, None]
  clips = np.broadcast_to(clips, (64, 5, 1, 1, 3))
  frames = liv._choose_frames(jax.random.key(0), jnp.asarray(clips), None)
  frames = np.asarray(frames)[..., 0, 0, 0]
  assert set(frames[:, 0]) == {0} and set(frames[:, 3]) == {4}
  assert set(frames[:, 1]) == {0, 1, 2, 3}
  np.testing.assert_array_equal(frames[:, 2], frames[:, 1] + 1)


def test_liv_looks_at_the_last_frame_alone():
  judge = liv.make_scorer(make_run({"backbone": backbone()}, instructions=[]))
  judge = judge._replace(context_fn=lambda texts: np.eye(8)[: len(texts)])
  draw = np.random.default_rng(0)
  clips = draw.integers(0, 256, (3, 6, 8, 8, 3), np.uint8)
  other = draw.integers(0, 256, (3, 6, 8, 8, 3), np.uint8)
  other[:, -1] = clips[:, -1]
  scores = scorer.scores(judge, clips, ["a", "b"])
  assert scores.shape == (3, 2) and np.ptp(scores) > 0
  np.testing.assert_array_equal(scorer.scores(judge, other, ["a", "b"]), scores)
  with pytest.raises(ValueError, match="liv.weights"):
    liv.Settings(dict(clip=1.0), gamma=0.9, num_negatives=0)


def test_triplets_of_dvd_are_what_they_should_be():
  _, task, is_robot = features()
  # A feature that tells which clip and view it is.
  rows = np.stack([np.arange(16), 100 + np.arange(16)]).astype(np.float32)
  clips = rows[..., None], task, is_robot
  batches = list(make_triplets(clips, batch_size=50, start=2, num_steps=12))
  assert len(batches) == 10
  index = {
    k: np.concatenate([b[k] for b in batches])[:, 0].astype(int)
    for k in ("positive", "anchor", "negative")
  }
  views = {k: x // 100 for k, x in index.items()}
  clip = {k: x % 100 for k, x in index.items()}
  assert (task[clip["positive"]] == task[clip["anchor"]]).all()
  assert (task[clip["anchor"]] != task[clip["negative"]]).all()
  for name in index:
    # Robots with 1/2, else any of which half are robots.
    assert abs(is_robot[clip[name]].mean() - 0.75) < 0.06
    assert abs(views[name].mean() - 0.5) < 0.07


def test_batches_of_dvd_do_not_depend_on_where_they_start(monkeypatch):
  settings = dict(batch_size=4, seed=1, num_steps=5)
  whole = list(make_triplets(**settings))
  rest = list(make_triplets(**settings, start=3))
  chex.assert_trees_all_equal(whole[3:], rest)
  one = features()[0], np.zeros(16), features()[2]
  with pytest.raises(ValueError, match="clips of two tasks"):
    next(make_triplets(one, **settings))
  monkeypatch.setattr(jax, "process_count", lambda: 2)
  halves = []
  for index in range(2):
    monkeypatch.setattr(jax, "process_index", lambda index=index: index)
    halves.append(next(make_triplets(**settings, start=3))["anchor"])
  np.testing.assert_array_equal(np.concatenate(halves), rest[0]["anchor"])


def test_a_separable_problem_is_learned_and_scored():
  x, task, _ = features()
  learner = dvd.make_learner(backbone(), x)
  optimizer = dvd.make_optimizer(
    learning_rate=0.05, momentum=0.9, weight_decay=1e-5
  )
  step_fn = jax.jit(loop.make_step_fn(learner, optimizer, None))
  params, extra = learner.init(jax.random.key(0))
  state = base.create_state(params, extra, optimizer)
  for batch in make_triplets(batch_size=24, num_steps=300):
    state, metrics = step_fn(state, batch, 0)
  assert metrics["accuracy"] > 0.95
  assert metrics["loss"] < 0.1
  score_fn = dvd._SameTask()
  standard = (x[0] - extra["mean"]) / extra["std"]
  demos = jnp.stack([standard[0:6:2], standard[1:7:2]])
  prob = score_fn({"head": state.params}, standard[6:], demos)
  assert prob.shape == (10, 2)
  assert (prob[np.arange(10), task[6:]] > 0.9).all()
  assert (prob[np.arange(10), 1 - task[6:]] < 0.1).all()


def test_views_and_scorer_of_dvd(tmp_path):
  draw = np.random.default_rng(0)
  clips = draw.integers(0, 256, (5, 3, 8, 8, 3), np.uint8)
  views = dvd.encode_views(
    CONFIG,
    backbone(),
    clips,
    augment=AUGMENT,
    task=np.zeros(5, np.int32),
    num_views=3,
    rng=jax.random.key(0),
  )
  assert views.shape == (3, 5, 8)
  assert np.abs(views[1] - views[2]).max() > 1e-3
  learner = dvd.make_learner(backbone(), views)
  params, extra = learner.init(jax.random.key(0))
  labels = np.array(["Closing something", "b"] * 2)
  np.savez(tmp_path / dvd.DEMOS_FILE, frames=clips[:4], labels=labels)
  readings = {"closing drawer": "Closing something", "other": "b"}
  run = make_run(params, readings=readings)
  judge = dvd.make_scorer(run._replace(folder=tmp_path, extra=extra))
  standard = (views[0] - extra["mean"]) / extra["std"]
  np.testing.assert_allclose(scorer.encode(judge, clips), standard, atol=1e-4)
  texts = ["other", "close the drawer"]
  demos = judge.context_fn(texts)
  np.testing.assert_allclose(demos[0], standard[[1, 3]], atol=1e-4)
  np.testing.assert_allclose(demos[1], standard[[0, 2]], atol=1e-4)
  assert scorer.scores(judge, clips, texts).shape == (5, 2)
  with pytest.raises(KeyError, match="'fly'.*closing drawer"):
    judge.context_fn(["fly"])
  files.record(tmp_path)
  tiny.flip(tmp_path / dvd.DEMOS_FILE, 0.5)
  with pytest.raises(ValueError, match=f"{dvd.DEMOS_FILE} is damaged"):
    dvd.make_scorer(run._replace(folder=tmp_path, extra=extra))
