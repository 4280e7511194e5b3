"""Outputs, intermediates, losses and gradients of the published PyTorch code.

Clips of other lengths and other switches are in convert_test.py. The gates
tell a right port from one with a single mistake, such as another epsilon.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import losses
from a2r.core import trees
from a2r.losses import contrastive, masked_language, matching
from a2r.models import convert
from a2r.models.singularity import beit, singularity, temporal

TOKENS, FEATURES, COSINES, LOGITS, LOSSES = 1e-5, 2e-6, 1e-6, 1e-5, 2e-6
# Largest error of a gradient over the largest entry of that gradient.
GRADIENTS = 5e-5
HEAD = "sd_pretrain_extra/text_encoder.cls.predictions"


def _inputs(golden):
  frames = golden["in/frames"].transpose(0, 1, 3, 4, 2)
  return frames, golden["in/input_ids"], golden["in/attention_mask"]


def _close(actual, expected, gate):
  assert np.shape(actual) == np.shape(expected)
  np.testing.assert_allclose(actual, expected, rtol=0, atol=gate)


@pytest.fixture(scope="module")
def hidden(golden, converted):
  """What each module gives, by its path."""
  model, params = converted

  @jax.jit
  def run(params):
    output, state = model.apply(
      params, *_inputs(golden), capture_intermediates=True
    )
    return output, state["intermediates"]

  with jax.default_matmul_precision("highest"):
    output, modules = run(params)

  def find(path):
    node = modules
    for name in path.split("/"):
      node = node[name]
    return node["__call__"][0]

  return output, find


@pytest.mark.parametrize(
  "name, key, gate",
  [
    ("image_embeds", "image_embeds", TOKENS),
    ("text_embeds", "text_embeds", TOKENS),
    ("image_feat", "image_feat", FEATURES),
    ("text_feat", "text_feat", FEATURES),
    ("sim", "sim_i2t", COSINES / 0.07),
    ("itm_logits", "itm_logits_pairs", LOGITS),
  ],
)
def test_output_equals_published_code(golden, hidden, name, key, gate):
  actual = getattr(hidden[0], name)
  assert actual.dtype == jnp.float32
  _close(actual, golden[f"out/{key}"], gate)


def test_similarity_is_the_mean_cosine_over_the_temperature(golden, hidden):
  cosine = hidden[0].sim * golden["sd/temp"]
  _close(cosine, golden["out/sim_cosine"], COSINES)


@pytest.mark.parametrize(
  "name, path",
  [
    *((f"beit_hidden/{i + 1}", f"vision/layer_{i}") for i in range(3)),
    ("image_tokens_after_vision_layernorm", "vision_layernorm"),
    *(
      (f"temporal_hidden_bs_t/{i + 1}", f"temporal/layer_{i}") for i in range(2)
    ),
    ("text_hidden/0", "embeddings"),
    *((f"text_hidden/{i + 1}", f"text_{i}") for i in range(3)),
    *((f"fusion_hidden/{i + 1}", f"fusion_{i}") for i in range(2)),
  ],
)
def test_every_layer_equals_published_code(golden, hidden, name, path):
  expected = golden[f"out/{name}"]
  _close(hidden[1](path).reshape(expected.shape), expected, TOKENS)


def test_what_lies_between_the_layers(golden, hidden, converted):
  output, find = hidden
  params = converted[1]["params"]
  patches = golden["out/beit_hidden/0"][:, 1:]
  _close(find("stem"), patches, TOKENS)
  raw, pooled = find("vision")
  _close(raw, golden["out/beit_last_hidden_raw"], TOKENS)
  _close(pooled, golden["out/beit_pooler"], TOKENS)
  _close(pooled.reshape(3, 4, 32), golden["out/pooled_image_embeds"], TOKENS)
  table = params["vision"]["layer_0"]["relative_position_table"]
  bias = table.T[:, beit.relative_position_index(4)]
  _close(bias, golden["out/beit_relpos_bias_layer0"], 0)
  tokens = golden["out/image_tokens_after_vision_layernorm"]
  tokens = tokens + temporal.resample_embeddings(
    params["temporal"]["embeddings"], 4
  )
  _close(tokens, golden["out/image_tokens_plus_temporal_embed"], TOKENS)
  per_place = golden["out/temporal_hidden_bs_t/0"].reshape(3, 17, 4, 32)
  _close(tokens, per_place.swapaxes(1, 2), TOKENS)
  _close(output.text_embeds[:, 0], golden["out/pooled_text_embeds"], TOKENS)
  alike = np.broadcast_to(output.text_embeds, (3, 3, 11, 32))
  _close(alike, golden["out/fusion_hidden/0"], TOKENS)


def test_contrastive_loss_equals_published_code(golden, hidden):
  index = golden["out/idx"]
  _close(contrastive.soft_targets(index), golden["out/targets_i2t"], 1e-7)
  sim = hidden[0].sim
  for numbers, name in ((index, "idx"), (np.arange(3), "noidx")):
    loss = losses.soft_target_contrastive(sim, numbers)
    _close(loss, golden[f"out/loss_ita_{name}"], LOSSES)


def _pairs(golden):
  """Clips and texts of the matches, then of the published negatives."""
  same = np.arange(3)
  image = np.r_[same, golden["out/itm_neg_image_for_text"], same]
  text = np.r_[same, same, golden["out/itm_neg_text_for_image"]]
  return image, text


def test_matching_equals_published_code(golden, hidden):
  sim, index = hidden[0].sim, golden["out/idx"]
  for way, scores in (("i2t", sim), ("t2i", sim.T)):
    weights = golden[f"out/itm_weights_{way}"]
    rngs = jax.random.split(jax.random.key(0), (2000, 3))
    sample = jax.vmap(matching.sample_negatives, (0, None, None, None))
    columns, _ = sample(rngs, scores, index, index)
    shares = (columns[..., None] == np.arange(3)).mean(axis=0)
    _close(shares, weights / weights.sum(axis=1, keepdims=True), 0.04)
  image, text = _pairs(golden)
  logits = hidden[0].itm_logits[image, text]
  loss = losses.image_text_matching(logits[:3], logits[3:], np.ones(6, bool))
  _close(loss, golden["out/loss_itm_argmax_negatives"], LOSSES)


@pytest.mark.slow
def test_masked_language_equals_published_code(golden, converted):
  config = dataclasses.replace(converted[0].config, mlm=True)
  model = singularity.Singularity(config)
  head = {
    "dense": {
      "kernel": golden[f"{HEAD}.transform.dense.weight"].T,
      "bias": golden[f"{HEAD}.transform.dense.bias"],
    },
    "layernorm": {
      "scale": golden[f"{HEAD}.transform.LayerNorm.weight"],
      "bias": golden[f"{HEAD}.transform.LayerNorm.bias"],
    },
    "bias": golden[f"{HEAD}.bias"],
  }
  params = {"params": converted[1]["params"] | {"mlm_head": head}}
  shown, labels = golden["out/mlm_input_ids"], golden["out/mlm_labels"]
  mask = golden["in/attention_mask"]

  @jax.jit
  def predict(params):
    text, _ = model.apply(params, shown, mask, method="encode_text")
    image = golden["out/image_embeds"]
    return model.apply(params, image, text, mask, method="predict_words")

  with jax.default_matmul_precision("highest"):
    logits = predict(params)
  _close(logits, golden["out/mlm_logits"], TOKENS)
  terms = masked_language.word_cross_entropy(logits, labels)
  loss = losses.masked_language_modeling(terms, labels)
  _close(loss, golden["out/loss_mlm"], LOSSES)


@pytest.mark.slow
def test_gradients_equal_published_code(golden, published, converted):
  """Of both losses with the published negatives, by every parameter."""
  model, params = converted
  frames, input_ids, mask = _inputs(golden)
  image, text = _pairs(golden)

  def loss_fn(params):
    tokens, clip = model.apply(params, frames, method="encode_video")
    words, caption = model.apply(params, input_ids, mask, method="encode_text")
    cosine = jnp.einsum("bte,ne->bn", clip, caption) / clip.shape[1]
    sim = cosine / params["params"]["temp"]
    logits = model.apply(
      params, tokens[image], words[text], mask[text], method="match"
    )
    matched = losses.image_text_matching(
      logits[:3], logits[3:], np.ones(6, bool)
    )
    return losses.soft_target_contrastive(sim, golden["out/idx"]) + matched

  with jax.default_matmul_precision("highest"):
    loss, grads = jax.jit(jax.value_and_grad(loss_fn))(params)
  expected = golden["out/loss_ita_idx"]
  expected += golden["out/loss_itm_argmax_negatives"]
  _close(loss, expected, 2 * LOSSES)
  _, expected = convert.singularity(published("grad/"), num_heads=4)
  wanted = trees.flatten(expected)
  wrong = {}
  for name, gradient in trees.flatten(grads).items():
    error = np.abs(gradient - wanted[name]).max()
    # A softmax does not see what all keys share: zero, but for rounding.
    is_zero = name.endswith("key/bias")
    size = 1e-3 if is_zero else np.abs(wanted[name]).max()
    if not error < GRADIENTS * size:
      wrong[name] = f"{error} of {size}"
  assert not wrong
