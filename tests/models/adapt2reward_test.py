"""Prompts steer the text feature, a backbone drops in; forms by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.models import adapt2reward as net
from a2r.models.singularity import singularity

M, K = 2, 3


@pytest.fixture(scope="module")
def model(make_config):
  return net.Adapt2Reward(make_config(), M, K, 2, 3)


@pytest.fixture(scope="module")
def params(model, make_params, inputs):
  return make_params(model, *inputs)


def _apply(model, params, *args, method):
  apply = jax.jit(lambda p, *x: model.apply(p, *x, method=method))
  return np.asarray(apply(params, *args))


def _backbone(model, params, *args, method):
  """The features of the backbone alone."""
  return _apply(
    singularity.Singularity(model.config),
    {"params": params["params"]["backbone"]},
    *args,
    method=lambda m, *x: getattr(m, method)(*x)[1],
  )


def test_tree_of_parameters(model, params, inputs):
  tree = params["params"]
  assert set(tree) == {"backbone", "prompts"}
  shapes = jax.tree.map(np.shape, tree["prompts"])
  assert shapes == {
    "human": (3, 16),
    "robot": (3, 16),
    "failure": (M, K, 2, 16),
  }
  backbone = singularity.Singularity(model.config)
  alone = jax.eval_shape(backbone.init, jax.random.key(0), *inputs)["params"]
  chex.assert_trees_all_equal_shapes(alone, tree["backbone"])


def test_video_feature_is_the_unit_mean_of_the_backbones(model, params, inputs):
  feature = _apply(model, params, inputs[0], method="video")
  mean = _backbone(model, params, inputs[0], method="encode_video").mean(axis=1)
  expected = mean / np.linalg.norm(mean, axis=-1, keepdims=True)
  np.testing.assert_allclose(feature, expected, atol=1e-6)


def test_domain_prompt_changes_the_feature(model, params, inputs):
  _, input_ids, mask = inputs
  args = input_ids, mask
  human = _apply(model, params, *args, np.array([0, 0, 0]), method="text")
  mixed = _apply(model, params, *args, np.array([0, 1, 0]), method="text")
  np.testing.assert_allclose(human[[0, 2]], mixed[[0, 2]], atol=1e-6)
  assert np.abs(human[1] - mixed[1]).max() > 1e-3
  np.testing.assert_allclose(np.linalg.norm(mixed, axis=-1), 1, atol=1e-6)


def test_failure_prompts_differ_by_cluster_and_task(model, params, inputs):
  _, input_ids, mask = inputs
  same = np.repeat(input_ids[:1], 3, axis=0), np.repeat(mask[:1], 3, axis=0)
  task = np.array([0, 0, 1])
  feature = _apply(model, params, *same, task, method="failure_text")
  assert feature.shape == (3, K, 8)
  np.testing.assert_allclose(feature[0], feature[1], atol=1e-6)
  assert np.abs(feature[0] - feature[2]).max() > 1e-3
  assert np.abs(feature[0, 0] - feature[0, 1]).max() > 1e-3


def test_failure_context_is_cls_robot_failure_words(model, params, inputs):
  _, input_ids, mask = inputs
  tree = params["params"]["prompts"]
  prompt = np.concatenate([tree["robot"], tree["failure"][1, 2]])[None]
  args = input_ids[1:2], mask[1:2], prompt
  expected = _backbone(model, params, *args, method="encode_text")
  actual = _apply(
    model, params, input_ids, mask, np.array([0, 1, 0]), method="failure_text"
  )
  np.testing.assert_allclose(actual[1, 2], expected[0], atol=1e-6)


def test_without_prompts_the_text_is_the_backbones(make_config, params, inputs):
  _, input_ids, mask = inputs
  model = net.Adapt2Reward(make_config(), 0, 0, 0, 0)
  shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
  assert set(shapes["params"]) == {"backbone"}
  domain = np.ones(3, np.int32)
  bare = {"params": {"backbone": params["params"]["backbone"]}}
  actual = _apply(model, bare, input_ids, mask, domain, method="text")
  expected = _backbone(model, bare, input_ids, mask, method="encode_text")
  np.testing.assert_allclose(actual, expected, atol=1e-6)
  with pytest.raises(ValueError, match="no failure prompts"):
    model.apply(bare, input_ids, mask, domain, method="failure_text")


def test_too_long_a_text_is_named(model, params, inputs):
  input_ids = np.ones((1, 18), np.int32)
  domain = np.ones(1, np.int32)
  with pytest.raises(ValueError, match="21 tokens .* max_positions=20"):
    model.apply(params, input_ids, input_ids, domain, method="text")


TEMPERATURE = 0.5

# Unit vectors of the plane: their products are 1, .8, .6, 0, -1.
EAST = [1.0, 0.0]
NORTH = [0.0, 1.0]
TILTED = [0.8, 0.6]
WEST = [-1.0, 0.0]


def _texts(**changes):
  """Known EAST and NORTH; asked for NORTH (trained) and TILTED (unknown)."""
  fields = {
    "text": jnp.array([NORTH, TILTED]),
    "known": jnp.array([EAST, NORTH]),
    "index": jnp.array([1, -1]),
    "failure": jnp.array([[WEST, TILTED], [[7.0, 7.0], [7.0, 7.0]]]),
    "has_failure": jnp.array([[True, True], [False, False]]),
  }
  return net.Texts(**fields | changes)


# The clip is EAST; exp(v.t / tau) is e^2, e^1.6, e^0, e^-2.
VIDEO = jnp.array([EAST])


def test_forms_by_hand():
  texts, e = _texts(), np.exp
  tilted = e(1.6) / (e(1.6) + e(2) + 1)
  for form, expected in (
    (net.cosine, [0.0, 0.8]),
    (net.softmax, [1 / (1 + e(2) + e(-2) + e(1.6)), tilted]),
    (net.own_failures, [1 / (1 + e(-2) + e(1.6)), tilted]),
  ):
    scores = jax.jit(form)(VIDEO, texts, TEMPERATURE)
    np.testing.assert_allclose(scores, [expected], rtol=1e-5, atol=1e-7)
  own = texts.text[0], texts.failure[0]
  modes = jax.jit(net.failure_modes)(VIDEO, *own, TEMPERATURE)
  expected = e([[0.0, -2.0, 1.6]])
  np.testing.assert_allclose(modes, expected / expected.sum(), rtol=1e-5)


def test_softmax_over_known_sums_to_one_without_failures():
  texts = _texts(
    text=jnp.array([EAST, NORTH]),
    index=jnp.array([0, 1]),
    has_failure=jnp.zeros((2, 2), bool),
  )
  scores = net.softmax(jnp.array([TILTED]), texts, TEMPERATURE)
  np.testing.assert_allclose(scores.sum(), 1, rtol=1e-6)


@pytest.mark.parametrize("form", net.FORMS)
def test_nothing_to_compete_with(form):
  texts = _texts(
    known=jnp.zeros((0, 2)),
    index=jnp.array([-1, -1]),
    has_failure=jnp.zeros((2, 2), bool),
  )
  scores = net.FORMS[form](VIDEO, texts, TEMPERATURE)
  expected = [[0.0, 0.8]] if form == "cosine" else [[1.0, 1.0]]
  np.testing.assert_allclose(scores, expected, atol=1e-7)


@pytest.mark.parametrize("form", net.FORMS)
def test_better_clip_gets_more(form):
  """Among clips that turn towards the instruction the reward grows."""
  angles = np.linspace(0, np.pi / 2, 5)
  video = jnp.array(np.stack([np.cos(angles), np.sin(angles)], 1))
  scores = net.FORMS[form](video, _texts(), 0.05)
  assert (np.diff(np.asarray(scores[:, 0])) > 0).all()
