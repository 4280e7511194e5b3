"""What the backbone must and must not depend on."""

import dataclasses
import functools

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.models.singularity import singularity

CLIP = {"stem": "conv", "stem_window": "clip"}


@functools.partial(jax.jit, static_argnums=0)
def _video(model, params, frames):
  return model.apply(params, frames, method="encode_video")


def _both_ways(frames):
  return np.concatenate([frames, frames[:, ::-1]])


@pytest.mark.parametrize(
  "fields, sees",
  [({}, True), (CLIP, True), ({"temporal_feature": False}, False)],
  ids=str,
)
def test_the_temporal_feature_sees_the_order(
  make_config, make_params, inputs, fields, sees
):
  """The published feature does not; the tokens always do."""
  model = singularity.Singularity(make_config(**fields))
  params = make_params(model, *inputs)
  tokens, feature = map(
    np.asarray, _video(model, params, _both_ways(inputs[0]))
  )
  assert tokens.shape == (4, 4 * (model.config.grid**2 + 1), 16)
  np.testing.assert_allclose(np.linalg.norm(feature, axis=-1), 1, atol=1e-6)
  forward, backward = np.split(feature.mean(axis=1), 2)
  difference = np.abs(forward - backward).max()
  assert difference > 1e-4 if sees else difference < 1e-6
  forward, backward = np.split(tokens.mean(axis=1), 2)
  assert np.abs(forward - backward).max() > 1e-3


def test_padding_changes_no_text_feature(make_config, make_params, inputs):
  model = singularity.Singularity(make_config())
  _, input_ids, mask = inputs
  params = make_params(model, *inputs)
  encode = jax.jit(lambda p, *x: model.apply(p, *x, method="encode_text"))
  _, feature = encode(params, input_ids, mask)
  garbage = np.where(mask == 1, input_ids, 7)
  _, same = encode(params, garbage, mask)
  np.testing.assert_allclose(feature, same, atol=1e-6)
  _, shorter = encode(params, input_ids[1:2, :4], mask[1:2, :4])
  np.testing.assert_allclose(feature[1:2], shorter, atol=1e-6)
  _, other = encode(params, np.roll(input_ids, 1, axis=1), mask)
  assert np.abs(feature - other).max() > 1e-3


def test_bfloat16_keeps_outputs_in_float32(make_config, make_params, inputs):
  exact_model = singularity.Singularity(make_config())
  model = singularity.Singularity(make_config(dtype="bfloat16"))
  params = make_params(model, *inputs)
  for out in jax.tree.leaves(jax.eval_shape(model.apply, params, *inputs)):
    assert out.dtype == jnp.float32
  frames = _both_ways(inputs[0])
  _, exact = _video(exact_model, params, frames)
  _, rough = _video(model, params, frames)
  assert 0 < np.abs(exact - rough).max() < 0.1


def test_parameters_do_not_depend_on_the_clip_they_are_made_with(
  make_config, inputs
):
  frames, input_ids, mask = inputs
  model = singularity.Singularity(make_config())
  rng = jax.random.key(0)
  whole = jax.eval_shape(model.init, rng, frames, input_ids, mask)
  one = jax.eval_shape(model.init, rng, frames[:, :1], input_ids, mask)
  assert whole == one


def test_heads_that_are_not_asked_for_are_not_built(make_config, inputs):
  model = singularity.Singularity(make_config(itm=False, text_layers=1))
  shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
  names = ("fusion", "itm", "mlm")
  assert not [k for k in shapes["params"] if any(n in k for n in names)]
  assert jax.eval_shape(model.apply, shapes, *inputs).itm_logits is None
  for method, missing in (("match", "itm"), ("predict_words", "mlm")):
    with pytest.raises(ValueError, match=f"{missing}=False"):
      model.apply(shapes, *inputs, method=method)


def test_dropout_needs_and_uses_its_rng(make_config, make_params, inputs):
  model = singularity.Singularity(make_config(dropout=0.5, drop_path=0.5))
  params = make_params(model, *inputs)

  @jax.jit
  def encode(rng):
    rngs = {"dropout": rng}
    method = "encode_video"
    return model.apply(params, inputs[0], False, rngs=rngs, method=method)[1]

  first, second = encode(jax.random.key(0)), encode(jax.random.key(1))
  assert np.abs(first - second).max() > 1e-3
  np.testing.assert_array_equal(first, encode(jax.random.key(0)))


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"stem": "linear"}, "unknown stem 'linear'; known: "),
    ({"stem": "conv", "stem_window": "frame"}, "unknown stem_window 'frame'"),
    ({"dtype": "float16"}, "unknown dtype 'float16'"),
    ({"width": 15}, "width 15 is not a multiple of num_heads 2"),
    ({"image_size": 20}, "image_size 20 is not a multiple"),
    ({"stem": "conv", "stem_features": ()}, "stem_features is empty"),
    ({"stem": "conv", "stem_patch": 0}, "stem_patch must be at least 1"),
    ({"fusion_layer": 3}, "fusion_layer 3 is not within text_layers 2"),
    ({"fusion_layer": 2}, "itm needs fusion layers"),
    ({"fusion_layer": 2, "itm": False, "mlm": True}, "mlm needs fusion"),
    ({"vocab_size": 0}, "vocab_size must be at least 1, got 0"),
    ({"temporal_layers": -1}, "temporal_layers must be at least 0, got -1"),
    ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
  ],
)
def test_wrong_config_is_one_clear_line(make_config, fields, message):
  with pytest.raises(ValueError, match=message) as error:
    make_config(**fields)
  assert "\n" not in str(error.value)


def test_wrong_frames_are_named(make_config, make_params, inputs):
  frames, *texts = inputs
  model = singularity.Singularity(make_config(**CLIP))
  with pytest.raises(ValueError, match=r"\[B, T, 16, 16, 3\], got \[2, 4, 8"):
    model.init(jax.random.key(0), frames[:, :, :8], *texts)
  with pytest.raises(ValueError, match="'conv' takes 4 frames, got 2"):
    model.init(jax.random.key(0), frames[:, :2], *texts)


def test_settings_of_before_are_read(make_config):
  stored = {"stem_window": "frame", "stem_patch": 0}
  assert make_config(**stored).stem == "patch"
  config = make_config(**CLIP)
  assert config == make_config(stem="conv")
  assert "stem_window" not in dataclasses.asdict(config)
  assert dataclasses.replace(config, num_frames=8).num_frames == 8
  config = make_config(stem_features=[4, 8])
  assert config == make_config() and hash(config) == hash(make_config())


@pytest.fixture(scope="module")
def with_head(make_config, make_params, inputs):
  """A model with every head and dropout, and its variables."""
  model = singularity.Singularity(
    make_config(mlm=True, dropout=0.3, drop_path=0.3, vision_layers=2)
  )
  return model, make_params(model, *inputs)


def test_masked_language_head_is_tied_to_the_word_table(with_head, inputs):
  model, params = with_head
  shapes = jax.tree.map(np.shape, params["params"]["mlm_head"])
  assert shapes == {
    "dense": {"kernel": (16, 16), "bias": (16,)},
    "layernorm": {"scale": (16,), "bias": (16,)},
    "bias": (30,),
  }
  frames, input_ids, mask = inputs

  @jax.jit
  def predict(params):
    image, _ = model.apply(params, frames, method="encode_video")
    text, _ = model.apply(params, input_ids, mask, method="encode_text")
    pair = image, text[:2], mask[:2]
    return model.apply(params, *pair, method="predict_words")

  logits = predict(params)
  assert logits.shape == (2, 6, 30) and logits.dtype == jnp.float32
  # A word that is in no text only shows in its own column.
  unused = min(set(range(30)) - set(input_ids.ravel().tolist()))
  table = params["params"]["embeddings"]["word"].copy()
  table[unused] += 1
  changed = jax.tree.map(lambda x: x, params)
  changed["params"]["embeddings"]["word"] = table
  difference = np.abs(predict(changed) - logits).max(axis=(0, 1))
  assert difference[unused] > 1e-2
  np.testing.assert_allclose(np.delete(difference, unused), 0, atol=1e-6)


@pytest.fixture(scope="module")
def rematted(with_head):
  config = dataclasses.replace(with_head[0].config, remat=True)
  return singularity.Singularity(config)


def test_remat_holds_every_layer_of_the_same_tree(with_head, rematted, inputs):
  model, params = with_head
  shapes = jax.eval_shape(rematted.init, jax.random.key(0), *inputs)
  assert jax.tree.structure(shapes) == jax.tree.structure(params)

  def count(model):
    program = jax.make_jaxpr(lambda p: model.apply(p, *inputs))(params)
    return sum("remat" in eqn.primitive.name for eqn in program.eqns)

  # Two layers of vision, one each of temporal, text and fusion.
  assert (count(model), count(rematted)) == (0, 5)


@pytest.mark.slow
def test_remat_changes_no_loss_and_no_gradient(with_head, rematted, inputs):
  """Dropout included: both draw the same."""
  model, params = with_head

  def loss_and_grads(model):
    def loss_fn(params):
      rngs = {"dropout": jax.random.key(3)}
      output = model.apply(params, *inputs, False, rngs=rngs)
      pair = output.image_embeds, output.text_embeds[:2], inputs[2][:2]
      words = model.apply(params, *pair, method="predict_words")
      terms = output.sim, output.itm_logits, words
      return sum(jnp.sum(jnp.tanh(x)) for x in terms)

    return jax.jit(jax.value_and_grad(loss_fn))(params)

  loss, grads = loss_and_grads(model)
  same_loss, same_grads = loss_and_grads(rematted)
  np.testing.assert_allclose(same_loss, loss, rtol=1e-6)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=0, atol=1e-5 * max(np.abs(b).max(), 1)
    ),
    same_grads,
    grads,
  )


@pytest.mark.slow
def test_bfloat16_gradients_point_where_exact_ones_do(
  make_config, make_params, inputs
):
  exact_model = singularity.Singularity(make_config(itm=False, text_layers=1))
  params = make_params(exact_model, *inputs)

  def gradient(dtype):
    config = make_config(itm=False, text_layers=1, dtype=dtype)
    model = singularity.Singularity(config)
    grads = jax.jit(
      jax.grad(lambda p: model.apply(p, *inputs).sim[:, 0].sum())
    )(params)
    for leaf in jax.tree.leaves(grads):
      assert leaf.dtype == jnp.float32
    return jax.flatten_util.ravel_pytree(grads)[0]

  exact, rough = gradient("float32"), gradient("bfloat16")
  cosine = exact @ rough / jnp.linalg.norm(exact) / jnp.linalg.norm(rough)
  assert 0.98 < cosine < 1
