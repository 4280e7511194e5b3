"""LIV: a frame is worth how near it is to the goal, a frame or a text.

Ma et al., "LIV: Language-Image Representations and Rewards for Robotic Control"
(https://arxiv.org/abs/2306.00958). An image model: the backbone sees single
frames, and the reward of a clip is the cosine of its last frame and the text.

Letters: B clips, T frames, H W picture, I instructions, L tokens, N shuffles,
E feature width.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from a2r import losses
from a2r.core import images, parallel
from a2r.core import rng as rng_lib
from a2r.learners import base, encoding, run_files
from a2r.models import heads, saved, scorer

TERMS = ("clip", "vision", "lang")


@dataclasses.dataclass(frozen=True)
class Settings:
  """The settings of the method's own.

  Attributes:
    weights: of `TERMS`: of the contrast with texts, and of the values for goals
      that are frames and for goals that are texts.
    gamma: discount of the values.
    num_negatives: N, times that frames of other clips are put to the goals.
  """

  weights: Mapping[str, float]
  gamma: float
  num_negatives: int

  def __post_init__(self):
    base.check_weights("liv.weights", self.weights, TERMS)


def make(setup: base.Setup, settings: Settings) -> base.Training:
  """Returns the method of a run; it looks at human and robot clips."""
  config, tokens = setup.model.config, setup.tokens()
  model, plain = heads.Stills(config), encoding.plain_model(config)
  augment = setup.augmentation.of_texts(setup.texts)

  def init(rng):
    return {"backbone": setup.init_backbone(rng)}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    rng_frames, rng_clips, rng_text, rng_shuffle = jax.random.split(rng, 4)
    chosen = {}
    for index, (name, part) in enumerate(batch.items()):
      rng = jax.random.fold_in(rng_frames, index)
      frames = _choose_frames(rng, part["frames"], axis_name)
      chosen[name] = part | {"frames": frames}
    video = encoding.encode_clips(
      model, params, chosen, rng_clips, axis_name,
      augment=augment, micro_batch=setup.micro_batch,
    )  # fmt: skip
    text = encoding.encode_texts(plain, params, tokens, rng_text)
    task = {name: part["task"] for name, part in batch.items()}
    video, task = parallel.all_gather((video, task), axis_name)
    features = jnp.concatenate(list(video.values()))
    text = text[jnp.concatenate(list(task.values()))]
    shuffles = _shuffles(rng_shuffle, settings.num_negatives, len(features))
    return _loss(features, text, shuffles, settings.weights, settings.gamma)

  return base.Training(base.Learner(init, loss_fn), {})


def _choose_frames(rng, clips, axis_name):
  """`[B, 4, H, W, 3]`: the first, one, the next, and the last of each clip."""
  last = clips.shape[1] - 1
  keys = rng_lib.row_keys(rng, len(clips), axis_name)
  now = jax.vmap(lambda key: jax.random.randint(key, (), 0, last))(keys)
  ends = jnp.zeros_like(now), jnp.full_like(now, last)
  index = jnp.stack([ends[0], now, now + 1, ends[1]], axis=1)
  return jax.vmap(lambda clip, i: clip[i])(clips, index)


def _shuffles(rng, num, size):
  """`[num, size]` permutations; None where there are to be none."""
  if not num:
    return None
  keys = jax.random.split(rng, num)
  return jax.vmap(lambda key: jax.random.permutation(key, size))(keys)


def _loss(features, text, shuffles, weights, gamma):
  """The loss of the global batch, and its terms.

  Features are `[B, 4, E]` of the frames that `_choose_frames` chose, texts
  `[B, E]`, shuffles `[N, B]` or None; a term of weight 0 is not computed.
  """
  start, now, then, last = jnp.moveaxis(features, 1, 0)
  goals = {"vision": last, "lang": text}
  terms = {
    name: losses.value_implicit(
      start, now, then, goal, gamma=gamma, shuffles=shuffles
    )
    for name, goal in goals.items()
    if weights[name]
  }
  if weights["clip"]:
    terms["clip"] = losses.language_image_contrastive(last, text)
  loss = sum(weights[name] * term for name, term in terms.items())
  values = jnp.einsum("bfe,be->f", features, text) / len(text)
  return loss, terms | {"first_cosine": values[0], "last_cosine": values[3]}


@dataclasses.dataclass(frozen=True)
class _LastFrame:
  """Unit features `[N, E]` of the last frames of clips."""

  model: heads.Stills

  def __call__(self, params, frames):
    frames = images.normalize(frames[:, -1:])
    variables = {"params": params["model"]}
    return self.model.apply(variables, frames, method="video")[:, 0]


def make_scorer(run: saved.Run) -> scorer.Scorer:
  """Returns the scorer of a run, see `base.Method`: of last frames alone."""
  return scorer.Scorer(
    name=METHOD.name,
    params={"model": run.params},
    encode_fn=_LastFrame(heads.Stills(run.config)),
    score_fn=scorer.CosineScore(),
    context_fn=run_files.make_text_fn(encoding.plain_model(run.config), run),
    # The rule that takes frames takes the first and the last for two.
    num_frames=2,
    image_size=run.config.image_size,
  )


def _share(settings, batch, source):
  """Takes half of the clips: it encodes four frames of each one by one."""
  del settings, source
  devices = parallel.num_devices()
  sizes = {k: -(-n // (2 * devices)) * devices for k, n in batch.items()}
  return base.Share(sizes)


METHOD = base.Method(
  name="liv",
  label="LIV",
  color="#CC79A7",
  parts=("human", "robot"),
  settings=Settings,
  make=make,
  make_scorer=make_scorer,
  share=_share,
)
