import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import parallel
from a2r.learners import pretrain, pretrain_eval
from a2r.models.singularity import singularity
from a2r.sim.humans import human_clips, people, scenes
from configs import backbones

LOSS = dict(caption_weight=0.5, target_weight=1.0)


@pytest.fixture(scope="module")
def tokenizer():
  return pretrain.make_tokenizer(640)


def _model():
  sizes = backbones.smoke().to_dict() | {"image_size": 32, "vocab_size": 640}
  return singularity.Singularity(singularity.Config(**sizes))


def _views():
  """Eight clips of the first step."""
  batches = pretrain.make_batches(
    _model().config, seed=3, start_step=0, batch_size=8
  )
  return next(batches)


@pytest.mark.parametrize("clips", [human_clips, people])
def test_opposites_point_at_each_other(clips):
  opposite = pretrain_eval.opposites(clips)
  paired = np.flatnonzero(opposite >= 0)
  assert len(paired) == 2 * len(clips.OPPOSITES)
  np.testing.assert_array_equal(opposite[opposite[paired]], paired)


@pytest.mark.parametrize("kind", ["known", "paraphrase", "name"])
def test_a_feature_of_its_text_is_found(kind, tokenizer):
  labels = np.arange(len(human_clips.TEMPLATES))
  nouns = np.tile([[0, 1]], (len(labels), 1))
  seen = {}

  def texts_of(texts):
    # A row of the unit matrix for every text: only equal ones are alike.
    for text in texts:
      seen.setdefault(text, len(seen))
    return np.eye(2000)[[seen[text] for text in texts]]

  if kind == "paraphrase":
    sets = list(zip(*pretrain_eval.human_texts.held_out(kind), strict=False))
    video = texts_of(list(sets[0]))
    share = pretrain_eval._paraphrases(texts_of, video, labels)
    assert 1 / len(sets) <= share < 1 / len(sets) + 0.1
  else:
    texts = [human_clips.caption(i, nouns[0]) for i in labels]
    if kind == "name":
      texts = pretrain_eval.human_texts.held_out_texts(kind, nouns[0])
    video = texts_of(texts)
    share = pretrain_eval._named(texts_of, video, labels, nouns, kind)
    assert share == 1.0


def test_features_of_their_texts_are_found_among_all_templates(monkeypatch):
  num, first = len(people.TEMPLATES), len(human_clips.TEMPLATES)
  following = [*np.roll(range(first), -1), *np.roll(range(first, num), -1)]

  def sample(rngs, labels, held_out, **sizes):
    frames = np.stack([labels, pretrain_eval.opposites(people)[labels]], -1)
    return human_clips.Clips(frames, *[labels] * 4)

  monkeypatch.setattr(people, "sample_clips", sample)
  monkeypatch.setattr(
    pretrain, "video_feature", lambda model, params, x: params[x[:, 0]]
  )
  monkeypatch.setattr(pretrain, "text_feature", lambda *_: np.eye(num))
  measure = functools.partial(
    pretrain_eval.measure_people,
    types.SimpleNamespace(config=backbones.small()),
    lambda texts, length: (texts, length),
    clips_per_template=2,
  )
  metrics, found = measure(jnp.eye(num))
  assert set(metrics.values()) == {1.0} and (found == 1).all()
  metrics, found = measure(jnp.eye(num)[np.array(following)])
  assert metrics["first/top1"] == metrics["acts_alone/top1"] == 0.0
  assert metrics["acts/opposites"] < 1.0 and not found.any()


def test_outcomes_are_told_by_margins():
  labels = np.repeat(np.arange(len(human_clips.TEMPLATES)), 3)
  failures = pretrain_eval._failures(labels)
  closing = human_clips.TEMPLATES.index("Closing something")
  stopped, idle = scenes.STOPPED, scenes.IDLE
  assert failures[labels == closing].tolist() == [stopped, idle, stopped]
  can_fail = failures != scenes.DONE
  np.testing.assert_array_equal(
    can_fail, human_clips.MAY_FAIL.any(axis=1)[labels]
  )
  margins = np.where(labels == closing, 1.0, 0.5)
  assert pretrain_eval._outcome(margins, margins - 0.1, labels) == 1.0
  assert pretrain_eval._outcome(margins, margins + 0.1, labels) == 0.0


@pytest.mark.slow
def test_clips_and_loss_are_the_same_on_one_and_on_eight_devices(tokenizer):
  learner = pretrain.make_learner(_model(), tokenizer, **LOSS)
  params, extra = jax.jit(learner.init)(jax.random.key(0))

  def loss(params, batch):
    return learner.loss_fn(
      params, extra, batch, jax.random.key(1), parallel.AXIS
    )[0]

  views = _views()
  losses = []
  for num in (1, 8):
    step = jax.pmap(loss, axis_name=parallel.AXIS)
    value = step(parallel.replicate(params, num), parallel.shard(views, num))
    losses.append(float(np.asarray(value)[0]))
  np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@pytest.mark.slow
def test_a_few_steps_lower_the_loss(tokenizer):
  learner = pretrain.make_learner(_model(), tokenizer, **LOSS)
  params, extra = jax.jit(learner.init)(jax.random.key(0))
  batch = _views()

  @jax.jit
  def step(params):
    (loss, _), grads = jax.value_and_grad(learner.loss_fn, has_aux=True)(
      params, extra, batch, jax.random.key(1), None
    )
    return jax.tree.map(lambda p, g: p - 0.03 * g, params, grads), loss

  losses = []
  for _ in range(12):
    params, loss = step(params)
    losses.append(float(loss))
  assert losses[-1] < losses[0]


def test_a_resumed_run_sees_the_same_clips(monkeypatch):
  def sample(rngs, labels, *, outcome, num_frames, image_size):
    assert outcome.shape == labels.shape
    shape = (num_frames, image_size, image_size, 3)
    frames = jax.vmap(lambda r: jax.random.bits(r, shape, jnp.uint8))(rngs)
    place = jnp.zeros((len(labels), 2))
    return human_clips.Clips(frames, labels[:, None], labels, place, place)

  # Drawing itself takes long to compile; no other test has three clips.
  monkeypatch.setattr(human_clips, "sample_clips", sample)

  def batches(start, **hosts):
    return pretrain.make_batches(
      _model().config, seed=3, start_step=start, batch_size=3, **hosts
    )

  whole, resumed = batches(0), batches(1)
  first, second = next(whole), next(whole)
  jax.tree.map(np.testing.assert_array_equal, second, next(resumed))
  assert (first.frames != second.frames).any()
  last = next(batches(0, process_index=2, process_count=3))
  jax.tree.map(
    lambda x, y: np.testing.assert_array_equal(x[2:], y), first, last
  )
