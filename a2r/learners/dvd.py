"""DVD: a discriminator says whether a clip shows what a human's clip shows.

Chen et al., "Learning Generalizable Robotic Reward Functions from 'In-The-Wild'
Human Videos" (https://arxiv.org/abs/2103.16817, released code). The encoder, a
video network trained on human clips, stays as it is; a perceptron on the
features of two clips is trained on triplets, and a clip's reward is how surely
it shows the task of a few human demonstrations. Failures are ignored.

The encoder being frozen, clips are encoded once, in a few augmented views, and
a step is one of the perceptron alone. Features are standardized: a unit feature
of many dimensions is too small for the published learning rate.

Letters: N clips, V views of each, B triplets, D demonstrations, T frames, H W
picture, L texts, E feature width.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from a2r import losses
from a2r.core import batching, files, images, parallel, tensors
from a2r.core import rng as rng_lib
from a2r.learners import base, encoding, loop, run_files
from a2r.losses import classification
from a2r.models import adapt2reward as net
from a2r.models import heads, saved, scorer
from a2r.models.singularity import singularity

DEMOS_FILE = "demos.npz"
_CHUNK = 24
_EPSILON = 1e-6
Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Settings:
  """The settings of the method's own.

  Attributes:
    steps: of the discriminator, to one of the methods that encode clips.
    num_views: V, of each clip: itself and augmented ones.
    num_demos: D, human clips that a task is shown by.
    batch_size: B.
    robot_probability: p, see `make_batches`.
    optim: arguments of `make_optimizer`.
  """

  steps: int
  num_views: int
  num_demos: int
  batch_size: int
  robot_probability: float
  optim: Mapping[str, float]


def encode_views(
  config: singularity.Config,
  backbone: Any,
  clips: np.ndarray,
  *,
  augment: encoding.Augment,
  task: np.ndarray,
  num_views: int,
  rng: jax.Array,
) -> np.ndarray:
  """Returns `[V, N, E]` features of clips, each as it is and augmented.

  Args:
    config: of the backbone.
    backbone: its parameters.
    clips: `[N, T, H, W, 3]` uint8.
    augment: changes clips; equal ones share a program. The first view is the
      clip itself.
    task: `[N]`, for `augment`.
    num_views: V.
    rng: key; consumed.
  """
  model = encoding.plain_model(config)
  views = []
  for view in range(num_views):
    key = jax.random.fold_in(rng, view)
    change = augment if view else None

    def encode(rows, key=key, change=change):
      number, clips, task = rows
      keys = jax.vmap(jax.random.fold_in, (None, 0))(key, number)
      return _encode(model, change, backbone, keys, clips, task)

    rows = np.arange(len(clips)), clips, task
    views.append(batching.map_chunks(encode, _CHUNK, rows))
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
  settings: Settings,
  *,
  seed: int,
  start_step: int,
  num_steps: int,
) -> Iterator[Batch]:
  """Yields this host's triplets of steps start_step, ..., num_steps - 1.

  With `robot_probability` p: the positive is a robot's clip with p, else any;
  the anchor is of its task, a robot's with p where there is one, else any; the
  negative is of another task, a robot's with p where there is one, else any.
  The released code draws alike but for the negative: where the first one drawn
  is of the same task, it takes any clip of another, a robot's or not.

  Args:
    features: `[V, N, E]`; the view is drawn.
    task: `[N]`.
    is_robot: `[N]` bool.
    settings: give B and p.
    seed: of the run; step n draws from (seed, n) alone.
    start_step: the first step.
    num_steps: one past the last step.

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
      if rng.random() < settings.robot_probability and len(robots):
        return rng.choice(robots)
      return rng.choice(rows[mask])

    chosen = []
    for _ in range(settings.batch_size):
      positive = draw(np.ones(len(rows), bool))
      same = task == task[positive]
      chosen.append((positive, draw(same), draw(~same)))
    views = rng.integers(len(features), size=(settings.batch_size, 3))
    triplets = features[views, np.array(chosen)]
    triplets = np.split(triplets, jax.process_count())[jax.process_index()]
    parts = np.moveaxis(triplets, 1, 0)
    yield dict(zip(("positive", "anchor", "negative"), parts, strict=True))


def make_learner(backbone: Any, features: np.ndarray) -> base.Learner:
  """Returns the method; its batches are those of `make_batches`.

  Its params are the discriminator's; its extra, which never changes, is
  `{'backbone', 'mean' [E], 'std' [E]}`.

  Args:
    backbone: the frozen encoder's parameters.
    features: `[V, N, E]` of all training clips.
  """
  flat = features.reshape(-1, features.shape[-1])
  model = heads.Discriminator()

  def init(rng):
    example = jnp.zeros((1, flat.shape[-1]))
    params = jax.jit(model.init)(rng, example, example)["params"]
    moments = {"mean": flat.mean(0), "std": flat.std(0) + _EPSILON}
    return params, {"backbone": backbone, **moments}

  def loss_fn(params, extra, batch, rng, axis_name):
    batch = {k: (x - extra["mean"]) / extra["std"] for k, x in batch.items()}
    num = len(batch["anchor"])

    def compare(left, right, rng):
      """Logits of pairs, either clip first."""
      keys = rng_lib.row_keys(rng, num, axis_name)
      swap = jax.vmap(jax.random.bernoulli)(keys)[:, None]
      first = jnp.where(swap, right, left)
      second = jnp.where(swap, left, right)
      return model.apply({"params": params}, first, second)

    rngs = jax.random.split(rng)
    positive = compare(batch["positive"], batch["anchor"], rngs[0])
    negative = compare(batch["anchor"], batch["negative"], rngs[1])
    positive, negative = parallel.all_gather((positive, negative), axis_name)
    loss = losses.same_task_discrimination(positive, negative)
    right = jnp.concatenate(
      [positive[:, 1] > positive[:, 0], negative[:, 1] < negative[:, 0]]
    )
    return loss, {"accuracy": jnp.mean(right)}

  return base.Learner(init, loss_fn)


def make_optimizer(
  *, learning_rate: float, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
  """SGD with the weight decay in the gradient, as published."""
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.sgd(learning_rate, momentum=momentum),
  )


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


def make_scorer(run: saved.Run) -> scorer.Scorer:
  """Returns the scorer of a run, see `base.Method`."""
  stored = tensors.load_npz(run.folder / DEMOS_FILE)
  try:
    demos, labels = stored["frames"], stored["labels"]
  except KeyError as error:
    raise ValueError(f"{run.folder / DEMOS_FILE} lacks {error}") from error
  plain = scorer.Scorer(
    name=METHOD.name,
    params={"head": run.params, **run.extra},
    encode_fn=_Standardized(encoding.plain_model(run.config)),
    score_fn=_SameTask(),
    context_fn=lambda texts: None,
    num_frames=run.config.num_frames,
    image_size=run.config.image_size,
  )
  features = scorer.encode(plain, demos)

  def find_demos(texts):
    """`[L, D, E]`."""
    readings, what = run.spec["readings"], "human demonstration"
    names = [run_files.find_label(t, readings, labels, what) for t in texts]
    return np.stack([features[labels == name] for name in names])

  return plain._replace(context_fn=find_demos)


def make(setup: base.Setup, settings: Settings) -> base.Training:
  """Returns the method of a run, see `base.Method`."""
  config, clips = setup.model.config, setup.clips
  demos, labels = clips.demonstrations(settings.num_demos)
  readings, instructions = clips.read_labels(labels)
  with (
    files.recorded_write(setup.workdir / DEMOS_FILE) as partial,
    open(partial, "wb") as stream,
  ):
    np.savez_compressed(stream, frames=demos, labels=labels)
  parts = [name for name in ("human", "robot") if name in clips.parts]
  tasks = [clips.tasks(name) for name in parts]
  is_robot = np.repeat([name == "robot" for name in parts], [*map(len, tasks)])
  task = np.concatenate(tasks)
  rng = rng_lib.step_key(setup.seed, loop.INIT)
  backbone = setup.init_backbone(rng)
  features = encode_views(
    config,
    backbone,
    np.concatenate([clips.frames(name) for name in parts]),
    task=task,
    augment=setup.augmentation.of_texts(setup.texts),
    num_views=settings.num_views,
    rng=rng,
  )

  def batches(step):
    return make_batches(
      features, task, is_robot, settings,
      seed=setup.seed, start_step=step, num_steps=setup.num_steps,
    )  # fmt: skip

  trained = setup.texts[: setup.num_trained]
  return base.Training(
    make_learner(backbone, features),
    {
      "readings": readings,
      "instructions": instructions,
      "num_trained": sum(text in instructions for text in trained),
    },
    batches_fn=batches,
    optimizer=make_optimizer(**settings.optim),
    frozen=True,
  )


def _share(settings, batch, source):
  """Takes more steps: its clips are encoded before."""
  note = (
    "dvd is shown each task by drawn human clips: there are no others, and it "
    "is not trained on these"
  )
  notes = (note,) * (source == "none")
  return base.Share(batch, steps=settings.steps, notes=notes)


METHOD = base.Method(
  name="dvd",
  label="DVD",
  color="#009E73",
  parts=("human", "robot"),
  settings=Settings,
  make=make,
  make_scorer=make_scorer,
  scores_by_extra=True,
  share=_share,
)
