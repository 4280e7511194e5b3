"""FitVid: the published tree, what a frame may depend on, its two passes."""

import ast
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import trees
from a2r.models.fitvid import fitvid
from tests import tiny

TINY = fitvid.Config(
  image_size=16,
  patch=2,
  filters=(4, 8),
  num_blocks=1,
  expansion=2,
  decoder_kernel=3,
  code_size=6,
  rnn_size=8,
  latent_size=3,
  stride=2,
)
ROWS, FRAMES = 2, 5
MODEL = fitvid.FitVid(TINY)
# All calls with arguments of the same shapes share a program.
apply = jax.jit(MODEL.apply, static_argnames="method")
predict = jax.jit(functools.partial(fitvid.predict, MODEL))


@pytest.fixture(scope="module")
def variables():
  return tiny.draw_fitvid(TINY)


@pytest.fixture(scope="module")
def inputs():
  rng = np.random.default_rng(0)
  video = rng.random((ROWS, FRAMES, 16, 16, 3), np.float32)
  actions = rng.normal(size=(ROWS, FRAMES - 1, TINY.tick_size))
  noise = rng.normal(size=(ROWS, FRAMES - 1, TINY.latent_size))
  return video, np.float32(actions), np.float32(noise)


def start(variables, video, actions, noise):
  """The context of the first two frames."""
  return apply(
    variables, video[:, :2], actions[:, :1], noise[:, :1], method="start"
  )


def test_published_tree():
  """Names and shapes are those of the released code, for its checkpoints."""
  config = fitvid.Config()
  found = jax.eval_shape(
    lambda rng: fitvid.init_variables(config, rng), jax.random.key(0)
  )
  file = pathlib.Path(__file__).parents[2] / "golden/fitvid_keys.tsv"
  lines = [line.split("\t") for line in file.read_text().splitlines()]
  expected = {name: ast.literal_eval(shape) for name, shape in lines}
  flat = trees.flatten(found["params"])
  assert {name: x.shape for name, x in flat.items()} == expected
  for part, num in (("params", 302_538_846), ("batch_stats", 48_774)):
    assert sum(x.size for x in jax.tree.leaves(found[part])) == num


def test_group_keeps_the_order_of_steps():
  actions = np.arange(2 * 6 * 5).reshape(2, 6, 5)
  grouped = fitvid.group(actions, 3)
  assert grouped.shape == (2, 2, 15)
  np.testing.assert_array_equal(grouped[1, 1], actions[1, 3:].reshape(-1))


def test_sample_of_a_gaussian():
  gaussian = fitvid.Gaussian(jnp.array([1.0]), jnp.array([np.log(4.0)]))
  np.testing.assert_allclose(gaussian.sample(jnp.array([1.5])), [4.0])
  np.testing.assert_allclose(gaussian.sample(None), [1.0])


def test_training_pass(variables, inputs):
  model = fitvid.FitVid(TINY, train=True)
  (frames, posterior, prior), state = jax.jit(
    lambda v: model.apply(v, *inputs, mutable=["batch_stats"])
  )(variables)
  assert frames.shape == (ROWS, FRAMES - 1, 16, 16, 3)
  assert frames.min() >= 0 and frames.max() <= 1
  for part in (posterior, prior):
    assert part.mean.shape == (ROWS, FRAMES - 1, TINY.latent_size)
  changed = jax.tree.map(
    lambda old, new: bool(np.any(old != new)),
    variables["batch_stats"],
    state["batch_stats"],
  )
  assert all(jax.tree.leaves(changed))


def test_training_frames_see_no_later_frame_but_through_the_latent(
  variables, inputs
):
  """Frame t comes of frames before it; the posterior alone sees frame t."""
  video, actions, noise = inputs
  frames, posterior, prior = apply(variables, video, actions, noise)
  later = video.copy()
  later[:, 3:] = 0.5
  frames2, posterior2, prior2 = apply(variables, later, actions, noise)
  np.testing.assert_array_equal(frames[:, :2], frames2[:, :2])
  assert np.any(frames[:, 2] != frames2[:, 2])
  np.testing.assert_array_equal(posterior.mean[:, :2], posterior2.mean[:, :2])
  assert np.any(posterior.mean[:, 2] != posterior2.mean[:, 2])
  np.testing.assert_array_equal(prior.mean[:, :3], prior2.mean[:, :3])


def test_prediction_is_the_training_pass_with_the_priors_latents(
  variables, inputs
):
  """Equal where both see true codes: at the first frame that is predicted."""
  video, actions, noise = inputs
  same = jax.tree.map(lambda x: x, variables)
  same["params"]["posterior"] = variables["params"]["prior"]
  # The posterior sees the next frame where the prior sees this one: one that
  # stands still makes them equal.
  video = np.repeat(video[:, :1], FRAMES, axis=1)
  frames, *_ = apply(same, video, actions, noise)
  context = start(variables, video, actions, noise)
  predicted = predict(variables, context, actions[:, 1:2], noise[:, 1:2])
  np.testing.assert_allclose(predicted[:, 0], frames[:, 1], atol=1e-5)


@pytest.mark.parametrize("num_frames", [1, 3])
def test_prediction_feeds_its_frames_back(variables, inputs, num_frames):
  context = start(variables, *inputs)
  _, *ahead = (x[:, 1 : 1 + num_frames] for x in inputs)
  frames = predict(variables, context, *ahead)
  assert frames.shape == (ROWS, num_frames, 16, 16, 3)
  for t in range(num_frames):
    if t:
      context = apply(variables, context, frames[:, t - 1], method="observe")
    now = (x[:, t] for x in ahead)
    context, frame = apply(variables, context, *now, method="tick")
    np.testing.assert_allclose(frame, frames[:, t], atol=1e-5)


def test_prediction_without_noise_is_that_of_the_means(variables, inputs):
  _, actions, noise = inputs
  context = start(variables, *inputs)
  means = predict(variables, context, actions[:, 1:2])
  expected = predict(variables, context, actions[:, 1:2], 0 * noise[:, 1:2])
  np.testing.assert_allclose(means, expected, atol=1e-5)


def test_prediction_depends_on_the_actions_of_its_row(variables, inputs):
  _, actions, noise = inputs
  context = start(variables, *inputs)
  other = actions.copy()
  other[1, 2:] += 1
  frames, changed = (
    predict(variables, context, x[:, 1:], noise[:, 1:])
    for x in (actions, other)
  )
  np.testing.assert_array_equal(frames[0], changed[0])
  np.testing.assert_array_equal(frames[1, 0], changed[1, 0])
  assert np.any(frames[1, 1] != changed[1, 1])


def test_a_decoder_spreads_the_skips_of_a_context(variables, inputs):
  code = np.random.default_rng(1).normal(size=(4, TINY.code_size))

  @jax.jit
  def decode(skips):
    return MODEL.apply(
      variables, np.float32(code), skips, method=lambda m, *x: m.decoder(*x)
    )

  context = start(variables, *inputs)
  repeated = [np.repeat(x, 2, axis=0) for x in context.skips]
  np.testing.assert_allclose(decode(context.skips), decode(repeated), atol=1e-6)


@pytest.mark.parametrize(
  "wrong, message",
  [
    (dict(image_size=20), "multiple of 8"),
    (dict(patch=3), "multiple of 24"),
    (dict(stride=0), "at least 1"),
  ],
)
def test_sizes_that_do_not_fit(wrong, message):
  with pytest.raises(ValueError, match=message):
    fitvid.Config(**wrong)
