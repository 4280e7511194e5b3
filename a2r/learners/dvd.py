"""DVD: a discriminator says whether a clip shows what a human's clip shows.

Chen et al., "Learning Generalizable Robotic Reward Functions from 'In-The-Wild'
Human Videos" (https://arxiv.org/abs/2103.16817, released code). The encoder, a
video network trained on human clips, stays as it is; a perceptron on the
features of two clips is trained on triplets, and a clip's reward is how surely
it shows the task of a few human demonstrations. Failures have no part.

The encoder being frozen, clips are encoded once, in a few augmented views, and
a step is one of the perceptron alone. Features are standardized: a unit feature
of many dimensions is too small for the published learning rate.

Letters: N clips, V views of each, B triplets, D demonstrations, T frames, H W
picture, L texts, E feature width.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from a2r import losses
from a2r.core import images, parallel
from a2r.core import rng as rng_lib
from a2r.core import text as text_lib
from a2r.learners import base, encoding, run_files
from a2r.losses import classification
from a2r.models import adapt2reward as net
from a2r.models import heads, saved, scorer
from a2r.models.singularity import singularity

_CHUNK = 24
_EPSILON = 1e-6
Batch = dict[str, np.ndarray]


def encode_views(
  config: singularity.Config,
  backbone: Any,
  clips: np.ndarray,
  *,
  augment: Callable[..., jax.Array],
  task: np.ndarray,
  num_views: int,
  rng: jax.Array,
) -> np.ndarray:
  """`[V, N, E]` features of clips, each as it is and augmented.

  Args:
    config: of the backbone.
    backbone: its parameters.
    clips: `[N, T, H, W, 3]` uint8.
    augment: `(rng, clip, task) -> clip` for the network, unbatched; equal ones
      share a program.
    task: `[N]`, for `augment`.
    num_views: V; the first view is the clip itself.
    rng: key; consumed.
  """
  model = encoding.plain_model(config)
  views = []
  for view in range(num_views):
    key = jax.random.fold_in(rng, view)
    parts = []
    for start in range(0, len(clips), _CHUNK):
      # Filled up with the last clip, so that all chunks are of one size.
      rows = np.minimum(np.arange(start, start + _CHUNK), len(clips) - 1)
      keys = jax.vmap(jax.random.fold_in, (None, 0))(key, rows)
      change = augment if view else None
      part = _encode(model, change, backbone, keys, clips[rows], task[rows])
      parts.append(np.asarray(part))
    views.append(np.concatenate(parts)[: len(clips)])
  return np.stack(views)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode(model, augment, backbone, keys, clips, task):
  if augment is None:
    frames = images.normalize(clips)
  else:
    frames = jax.vmap(augment)(keys, clips, task)
  variables = {"params": {"backbone": backbone}}
  return model.apply(variables, frames, method="video")


def make_batches(
  features: np.ndarray,
  task: np.ndarray,
  is_robot: np.ndarray,
  *,
  batch_size: int,
  robot_probability: float,
  seed: int,
  start_step: int,
  num_steps: int,
  process_index: int = 0,
  process_count: int = 1,
) -> Iterator[Batch]:
  """Yields the triplets of steps start_step, ..., num_steps - 1.

  With `robot_probability` p: the positive is a robot's clip with p, else any;
  the anchor is of its task, a robot's with p where there is one, else any; the
  negative is of another task, a robot's with p where there is one, else any.
  The released code draws alike but for the negative: where the first one drawn
  is of the same task, it takes any clip of another, a robot's or not.

  Args:
    features: `[V, N, E]`; the view is drawn.
    task: `[N]`.
    is_robot: `[N]` bool.
    batch_size: B.
    robot_probability: p.
    seed: of the run; step n draws from (seed, n) alone.
    start_step: the first step.
    num_steps: one past the last step.
    process_index: this host.
    process_count: number of hosts; each has its share of the triplets.

  Yields:
    `positive`, `anchor` and `negative`, each `[B, E]`.

  Raises:
    ValueError: clips of one task alone.
  """
  if len(set(task.tolist())) < 2:
    raise ValueError("triplets need clips of two tasks; all clips are of one")
  rows = np.arange(len(task))
  for step in range(start_step, num_steps):
    rng = np.random.default_rng((seed, step))

    def draw(mask, rng=rng):
      """A clip for which the mask holds, a robot's with p where there is."""
      robots = rows[mask & is_robot]
      if rng.random() < robot_probability and len(robots):
        return rng.choice(robots)
      return rng.choice(rows[mask])

    chosen = []
    for _ in range(batch_size):
      positive = draw(np.ones(len(rows), bool))
      same = task == task[positive]
      chosen.append((positive, draw(same), draw(~same)))
    views = rng.integers(len(features), size=(batch_size, 3))
    triplets = features[views, np.array(chosen)]
    triplets = np.split(triplets, process_count)[process_index]
    yield dict(
      zip(
        ("positive", "anchor", "negative"),
        np.moveaxis(triplets, 1, 0),
        strict=True,
      )
    )


def make_learner(backbone: Any, features: np.ndarray) -> base.Learner:
  """Returns the method; its batches are those of `make_batches`.

  Its params are the discriminator's; its extra, which never changes, is
  `{'backbone', 'mean' [E], 'std' [E]}`.

  Args:
    backbone: the frozen encoder's parameters.
    features: `[V, N, E]` of all training clips.
  """
  flat = features.reshape(-1, features.shape[-1])
  extra = {
    "backbone": backbone,
    "mean": flat.mean(0),
    "std": flat.std(0) + _EPSILON,
  }
  model = heads.Discriminator()

  def init(rng):
    example = jnp.zeros((1, flat.shape[-1]))
    return jax.jit(model.init)(rng, example, example)["params"], extra

  return base.Learner(init, functools.partial(_loss, model))


def make_optimizer(
  *, learning_rate: float, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
  """SGD with the weight decay in the gradient, as published."""
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.sgd(learning_rate, momentum=momentum),
  )


def _loss(model, params, extra, batch, rng, axis_name):
  """The loss of the global batch, see `base.Learner`."""
  batch = {k: (x - extra["mean"]) / extra["std"] for k, x in batch.items()}
  num = len(batch["anchor"])

  def judge(left, right, rng):
    """Logits of pairs, either clip first."""
    keys = rng_lib.row_keys(rng, num, axis_name)
    swap = jax.vmap(jax.random.bernoulli)(keys)[:, None]
    first = jnp.where(swap, right, left)
    second = jnp.where(swap, left, right)
    return model.apply({"params": params}, first, second)

  rngs = jax.random.split(rng)
  positive = judge(batch["positive"], batch["anchor"], rngs[0])
  negative = judge(batch["anchor"], batch["negative"], rngs[1])
  positive, negative = parallel.all_gather((positive, negative), axis_name)
  loss = losses.same_task_discrimination(positive, negative)
  found = jnp.concatenate(
    [positive[:, 1] > positive[:, 0], negative[:, 1] < negative[:, 0]]
  )
  return loss, {"accuracy": jnp.mean(found)}


@dataclasses.dataclass(frozen=True)
class _Standardized:
  """Standardized features `[N, E]` of clips."""

  model: net.Adapt2Reward

  def __call__(self, params, frames):
    x = self.model.apply(
      {"params": {"backbone": params["backbone"]}},
      images.normalize(frames),
      method="video",
    )
    return (x - params["mean"]) / params["std"]


@dataclasses.dataclass(frozen=True)
class _SameTask:
  """Mean over demonstrations, in both orders, of the probability of 'same'.

  The context is `[L, D, E]`. The released code draws the order; the mean over
  both is what that estimates, and does not change from call to call.
  """

  def __call__(self, params, features, context):
    shape = (len(features), *context.shape)
    clips = jnp.broadcast_to(features[:, None, None], shape)
    demos = jnp.broadcast_to(context[None], shape)
    model = heads.Discriminator()
    pairs = jnp.stack([clips, demos]), jnp.stack([demos, clips])
    logits = model.apply({"params": params["head"]}, *pairs)
    prob = jax.nn.softmax(logits, axis=-1)[..., classification.SAME]
    return prob.mean(axis=(0, -1))


def make_scorer(
  config: singularity.Config,
  params: Any,
  extra: Mapping[str, Any],
  *,
  demos: np.ndarray,
  labels: np.ndarray,
  readings: Mapping[str, str],
) -> scorer.Scorer:
  """The scorer of trained parameters.

  Args:
    config: of the backbone.
    params: the learner's.
    extra: the learner's.
    demos: `[N, T, S, S, 3]` uint8 human demonstrations.
    labels: `[N]` str, the task of each; as many of each task.
    readings: text -> its task; other texts are read as one of these if they
      differ in articles and the verb's form alone.
  """
  judge = scorer.Scorer(
    name="dvd",
    params={"head": params, **extra},
    encode_fn=_Standardized(encoding.plain_model(config)),
    score_fn=_SameTask(),
    context_fn=lambda texts: None,
    num_frames=config.num_frames,
    image_size=config.image_size,
  )
  features = scorer.encode(judge, demos)
  return judge._replace(
    context_fn=functools.partial(
      _find_demos, features, np.asarray(labels), dict(readings)
    )
  )


def _find_demos(features, labels, readings, texts):
  """`[L, D, E]`; a KeyError for a text without demonstrations."""
  found = []
  for text in texts:
    index = text_lib.find_instruction(text, list(readings))
    name = None if index is None else list(readings.values())[index]
    if name not in labels:
      raise KeyError(
        f"no human demonstration of {text!r}; there are some of: "
        + ", ".join(repr(t) for t, name in readings.items() if name in labels)
      )
    found.append(features[labels == name])
  return np.stack(found)


def _load(folder: pathlib.Path, checkpoint: str) -> scorer.Scorer:
  run = saved.read_run(folder, checkpoint, with_extra=True)
  with np.load(folder / run_files.DEMOS_FILE) as demos:
    return make_scorer(
      run.config,
      run.params,
      run.extra,
      demos=demos["frames"],
      labels=demos["labels"],
      readings=run.spec["readings"],
    )


METHOD = base.Method(
  name="dvd",
  label="DVD",
  color="#009E73",
  parts=("human", "robot"),
  load=_load,
)
