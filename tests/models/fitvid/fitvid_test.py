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


@pytest.fixture(scope="module")
def variables():
  init = jax.jit(fitvid.init_variables, static_argnums=0)
  found = init(TINY, jax.random.key(0))
  # Scales that start at zero would hide what a decoder's block does.
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda x: x + 0.1 * np.float32(rng.normal(size=x.shape)), found
  )


@pytest.fixture(scope="module")
def inputs():
  rng = np.random.default_rng(0)
  video = rng.random((ROWS, FRAMES, 16, 16, 3), np.float32)
  actions = rng.normal(size=(ROWS, FRAMES - 1, TINY.tick_size))
  noise = rng.normal(size=(ROWS, FRAMES - 1, TINY.latent_size))
  return video, np.float32(actions), np.float32(noise)


def start(variables, video, actions, **options):
  model = fitvid.FitVid(TINY)
  apply = functools.partial(model.apply, method="start")
  return jax.jit(apply)(variables, video, actions, **options)


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
  model = fitvid.FitVid(TINY)
  video, actions, noise = inputs
  apply = jax.jit(lambda video: model.apply(variables, video, actions, noise))
  frames, posterior, prior = apply(video)
  later = video.copy()
  later[:, 3:] = 0.5
  frames2, posterior2, prior2 = apply(later)
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
  model = fitvid.FitVid(TINY)
  same = jax.tree.map(lambda x: x, variables)
  same["params"]["posterior"] = variables["params"]["prior"]
  # The posterior sees the next frame where the prior sees this one: one that
  # stands still makes them equal.
  video = np.repeat(video[:, :1], FRAMES, axis=1)
  frames, *_ = jax.jit(lambda: model.apply(same, video, actions, noise))()
  context = start(variables, video[:, :2], actions[:, :1], noise=noise[:, :1])
  predict = jax.jit(lambda *args: fitvid.predict(model, variables, *args))
  predicted = predict(context, actions[:, 1:2], noise[:, 1:2])
  np.testing.assert_allclose(predicted[:, 0], frames[:, 1], atol=1e-5)


@pytest.mark.parametrize("num_frames", [1, 3])
def test_prediction_feeds_its_frames_back(variables, inputs, num_frames):
  video, actions, _ = inputs
  model = fitvid.FitVid(TINY)
  context = start(variables, video[:, :2], actions[:, :1])
  ahead = actions[:, 1 : 1 + num_frames]
  frames = jax.jit(lambda: fitvid.predict(model, variables, context, ahead))()
  assert frames.shape == (ROWS, num_frames, 16, 16, 3)
  for t in range(num_frames):
    if t:
      context = model.apply(
        variables, context, frames[:, t - 1], method="observe"
      )
    context, frame = model.apply(variables, context, ahead[:, t], method="tick")
    np.testing.assert_allclose(frame, frames[:, t], atol=1e-5)


def test_prediction_depends_on_the_actions_of_its_row(variables, inputs):
  video, actions, _ = inputs
  model = fitvid.FitVid(TINY)
  context = start(variables, video[:, :2], actions[:, :1])
  predict = jax.jit(lambda x: fitvid.predict(model, variables, context, x))
  frames, other = predict(actions[:, 1:]), actions.copy()
  other[1, 2:] += 1
  changed = predict(other[:, 1:])
  np.testing.assert_array_equal(frames[0], changed[0])
  np.testing.assert_array_equal(frames[1, 0], changed[1, 0])
  assert np.any(frames[1, 1] != changed[1, 1])


def test_a_decoder_spreads_the_skips_of_a_context(variables, inputs):
  video, *_ = inputs
  model = fitvid.FitVid(TINY)
  code = np.random.default_rng(1).normal(size=(4, TINY.code_size))

  @jax.jit
  def decode(skips):
    return model.apply(
      variables, np.float32(code), skips, method=lambda m, *x: m.decoder(*x)
    )

  context = start(variables, video[:, :2], np.zeros((2, 1, TINY.tick_size)))
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
