"""Adapt2Reward: a video-language model adapted with human and robot clips.

Yang et al., "Adapt2Reward: Adapting Video-Language Models to Generalizable
Robotic Rewards via Failure Prompts" (https://arxiv.org/abs/2407.14872).

Letters: B_h, B_r, B_f human, robot and failed clips of the global batch, T
frames, H W picture, I instructions of the run, M of them with robot clips (the
first ones, which have failure prompts), K failure prompts each, F failed
training clips, L tokens, E feature width.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.core import parallel
from a2r.learners import base, encoding, failure_clusters, run_files
from a2r.models import adapt2reward as net
from a2r.models import saved, scorer

TERMS = ("cdc", "vlc", "fvlc", "bce")


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is minimized: weights times terms. The config has it under `loss`.

  Attributes:
    weights: of `TERMS`; a term of weight 0 is not computed. cdc is the contrast
      between clips of both domains; vlc that between clips and instructions;
      fvlc the failure prompts' loss, and at 0 there are no failure prompts
      anywhere, in the other losses neither; bce the binary cross-entropy of
      success.
    temperature: of all softmaxes.
  """

  weights: Mapping[str, float]
  temperature: float

  def __post_init__(self):
    base.check_weights("loss.weights", self.weights, TERMS)
    if self.temperature <= 0:
      raise ValueError(f"loss.temperature must be > 0, got {self.temperature}")

  @property
  def parts(self) -> tuple[str, ...]:
    """The parts of a batch that are looked at."""
    uses_failures = self.weights["fvlc"] or self.weights["bce"]
    return ("human", "robot") + ("failure",) * bool(uses_failures)


def make(setup: base.Setup, settings: Settings) -> base.Training:
  """Returns the method of a run.

  Its extra is `{'centers': [M, K, E] float32, 'cluster_labels': [F] int32}`,
  made from the starting weights and renewed by `on_epoch`; without the failure
  prompts' loss there is no `on_epoch`.

  Args:
    setup: what the run gives; its failed clips are F.
    settings: what is minimized.

  Raises:
    ValueError: clips or instructions that do not fit.
  """
  model, weights, tokens = setup.model, settings.weights, setup.tokens()
  if len(tokens.ids) < model.num_tasks:
    raise ValueError(
      f"{len(tokens.ids)} instructions for a model of {model.num_tasks} robot "
      "tasks"
    )
  augment = setup.augmentation.of_texts(setup.texts)
  failure_task = setup.clips.tasks("failure")
  cluster_fn = None
  if weights["fvlc"]:
    cluster_fn = failure_clusters.make_cluster_fn(
      model, setup.clips.frames("failure"), failure_task
    )

  def init(rng):
    rng_params, rng_clusters = jax.random.split(rng)
    params = setup.init_fn(rng_params)
    if cluster_fn is None:
      return params, failure_clusters.unclustered(model, len(failure_task))
    return params, cluster_fn(params, rng=rng_clusters)[0]

  def loss_fn(params, extra, batch, rng, axis_name):
    rng_clips, rng_text = jax.random.split(rng)
    batch = {name: batch[name] for name in settings.parts if name in batch}
    video = encoding.encode_clips(
      model, params, batch, rng_clips, axis_name,
      augment=augment, micro_batch=setup.micro_batch,
    )  # fmt: skip
    texts = _encode_texts(
      model, params, tokens, rng_text, with_failures=weights["fvlc"] > 0
    )
    indices = {
      name: {key: part[key] for key in ("task", "record")}
      for name, part in batch.items()
    }
    video, indices = parallel.all_gather((video, indices), axis_name)
    terms, metrics = _terms(
      settings, video, texts, indices, extra["cluster_labels"]
    )
    return sum(weights[k] * term for k, term in terms.items()), terms | metrics

  def on_epoch(params, extra, epoch):
    del epoch  # The centers so far are the start, nothing is drawn.
    return cluster_fn(params, previous=extra)

  spec = {
    "form": "cosine",  # A finished run writes the one that it chose.
    "failure_prompts": weights["fvlc"] > 0,
    **{key: getattr(model, key) for key in saved.PROMPTS},
  }
  learner = base.Learner(init, loss_fn, on_epoch if cluster_fn else None)
  return base.Training(learner, spec)


def _encode_texts(model, params, tokens, rng, *, with_failures):
  """Returns features of every text of the run, each encoded once.

  Returns:
    `human` `[I, E]`, `robot` `[M, E]` (no robot clip has another task) and,
    if asked for, `failure` `[M, K, E]`.
  """
  rng_text, rng_failure = jax.random.split(rng)
  num_texts, num_tasks = len(tokens.ids), model.num_tasks
  # Every text to a human, those with robot clips to a robot too.
  rows = np.r_[:num_texts, :num_tasks]
  domain = np.repeat([net.HUMAN, net.ROBOT], [num_texts, num_tasks])
  domain = domain.astype(np.int32)

  def encode(method, rng, *args):
    return model.apply(
      {"params": params},
      *args,
      deterministic=False,
      method=method,
      rngs={"dropout": rng},
    )

  both = tokens.ids[rows], tokens.mask[rows]
  text = encode("text", rng_text, *both, domain)
  texts = {"human": text[:num_texts], "robot": text[num_texts:]}
  if with_failures:
    task = np.arange(num_tasks, dtype=np.int32)
    trained = tokens.ids[:num_tasks], tokens.mask[:num_tasks]
    texts["failure"] = encode("failure_text", rng_failure, *trained, task)
  return texts


def _terms(settings, video, texts, indices, cluster_labels):
  """Returns the terms of the global batch's loss, and its accuracies.

  Args:
    settings: a term of weight 0 is left out.
    video: unit features `[B_h, E]`, `[B_r, E]` and `[B_f, E]` of the clips, by
      part; `human` and `failure` may be missing.
    texts: see `_encode_texts`.
    indices: the clips' `task` and `record`, by part.
    cluster_labels: `[F]` failure cluster of each failed training clip.
  """
  weights, temperature = settings.weights, settings.temperature
  task = {name: index["task"] for name, index in indices.items()}
  if "human" not in video:
    video = video | {"human": video["robot"][:0]}
    task["human"] = task["robot"][:0]
  terms = {}
  if weights["cdc"]:
    terms["cdc"] = losses.cross_domain_contrastive(
      video["robot"], video["human"], task["robot"], task["human"],
      temperature=temperature,
    )  # fmt: skip

  pairs = jnp.concatenate([video["robot"], video["human"]])
  pair_task = jnp.concatenate([task["robot"], task["human"]])
  pair_text = jnp.concatenate(
    [texts["robot"][task["robot"]], texts["human"][task["human"]]]
  )
  if weights["vlc"]:
    failures = {}
    if weights["fvlc"]:
      has_failure = pair_task < len(texts["failure"])
      rows = jnp.where(has_failure, pair_task, 0)
      failures = {
        "failure_text": texts["failure"][rows],
        "has_failure": has_failure,
      }
    terms["vlc"] = losses.video_language_contrastive(
      pairs, pair_text, temperature=temperature, **failures
    )

  # Share of clips whose nearest text of the batch is of their task.
  nearest = jnp.argmax(pairs @ pair_text.T, axis=1)
  metrics = {"accuracy": jnp.mean(pair_task[nearest] == pair_task)}
  if weights["fvlc"]:
    failed = video["failure"]
    text = texts["robot"][task["failure"]]
    failure_text = texts["failure"][task["failure"]]
    cluster = cluster_labels[indices["failure"]["record"]]
    terms["fvlc"] = losses.failure_video_language_contrastive(
      failed, text, failure_text, cluster, temperature=temperature
    )
    # Share of failed clips nearest to their own failure prompt's text.
    choices = jnp.concatenate([text[:, None], failure_text], axis=1)
    nearest = jnp.argmax(jnp.einsum("be,bke->bk", failed, choices), axis=1)
    metrics["failure_accuracy"] = jnp.mean(nearest == 1 + cluster)
  if weights["bce"]:
    tried = ("robot", "failure")
    clips = jnp.concatenate([video[name] for name in tried])
    text = texts["robot"][jnp.concatenate([task[name] for name in tried])]
    success = np.repeat([1.0, 0.0], [len(video[name]) for name in tried])
    terms["bce"] = losses.binary_cross_entropy(clips, text, success)
  return terms, metrics | {"temperature": jnp.float32(temperature)}


def make_scorer(run: saved.Run) -> scorer.Scorer:
  """Returns the scorer of a run in training, by cosines.

  That of a finished one, in the form that it chose, is `a2r.reward.load`'s.
  """
  model = net.Adapt2Reward(
    run.config, run.spec["num_trained"], **saved.prompt_sizes(run)
  )
  text_fn = run_files.make_text_fn(model, run)
  return scorer.cosine(METHOD.name, model, run.params, text_fn)


def _share(settings, batch, source):
  """Drops failures where no loss looks at them."""
  del source
  if "failure" not in settings.parts:
    return base.Share(batch | {"failure": 0})
  needs = "loss.weights.fvlc=0 and loss.weights.bce=0, got {fvlc} and {bce}"
  return base.Share(batch, needs={"failure": needs.format(**settings.weights)})


METHOD = base.Method(
  name="adapt2reward",
  label="Adapt2Reward",
  color="#0072B2",
  parts=("human", "robot", "failure"),
  settings=Settings,
  make=make,
  make_scorer=make_scorer,
  share=_share,
  config_key="loss",
  prompts=True,
)
