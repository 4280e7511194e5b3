"""What Adapt2Reward minimizes, as a function of features.

Letters: B_h, B_r, B_f human, robot and failed clips of the global batch, I
instructions of the run, M of them with robot clips, K failure prompts each, F
failed training clips, E feature width.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses

_TERMS = ("cdc", "vlc", "fvlc", "bce")


@dataclasses.dataclass(frozen=True)
class Objective:
  """What is minimized: weights times terms, and the terms' settings.

  Attributes:
    cdc: weight of the contrast between clips of both domains.
    vlc: weight of the contrast between clips and instructions.
    fvlc: weight of the failure prompts' loss; at 0 there are no failure
      prompts anywhere, in the other losses neither.
    bce: weight of the binary cross-entropy of success.
    temperature: of all softmaxes.
  """

  cdc: float
  vlc: float
  fvlc: float
  bce: float
  temperature: float

  def __post_init__(self):
    weights = {name: getattr(self, name) for name in _TERMS}
    if min(weights.values()) < 0 or not any(weights.values()):
      raise ValueError(
        f"loss weights must be >= 0 and not all 0, got {weights}"
      )
    if self.temperature <= 0:
      raise ValueError(f"temperature must be > 0, got {self.temperature}")

  @property
  def uses_failures(self) -> bool:
    return self.fvlc > 0 or self.bce > 0

  @property
  def groups(self) -> tuple[str, ...]:
    """The parts of a batch that are looked at."""
    return ("human", "robot") + ("failure",) * self.uses_failures


def weighted_sum(
  objective: Objective,
  video: dict[str, jax.Array],
  texts: dict[str, jax.Array],
  indices: dict[str, dict[str, jax.Array]],
  cluster_labels: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns the loss of the global batch, and its terms and accuracies.

  Args:
    objective: the weights.
    video: unit features of the clips: `human` `[B_h, E]`, `robot` `[B_r, E]`
      and, where the objective uses them, `failure` `[B_f, E]`; `human` may be
      missing.
    texts: unit features of the instructions in each domain's words: `human`
      `[I, E]`, `robot` `[M, E]`; and `failure` `[M, K, E]` where fvlc > 0.
    indices: the clips' `task` and `record`, by the names of `video`.
    cluster_labels: `[F]` failure cluster of each failed training clip.
  """
  task = {name: index["task"] for name, index in indices.items()}
  if "human" not in video:
    video = video | {"human": video["robot"][:0]}
    task["human"] = task["robot"][:0]
  terms = {}
  if objective.cdc:
    terms["cdc"] = losses.cross_domain_contrastive(
      video["robot"],
      video["human"],
      task["robot"],
      task["human"],
      temperature=objective.temperature,
    )

  pairs = jnp.concatenate([video["robot"], video["human"]])
  pair_task = jnp.concatenate([task["robot"], task["human"]])
  pair_text = jnp.concatenate(
    [texts["robot"][task["robot"]], texts["human"][task["human"]]]
  )
  if objective.vlc:
    failures = {}
    if objective.fvlc:
      has_failure = pair_task < len(texts["failure"])
      rows = jnp.where(has_failure, pair_task, 0)
      failures["failure_text"] = texts["failure"][rows]
      failures["has_failure"] = has_failure
    terms["vlc"] = losses.video_language_contrastive(
      pairs, pair_text, temperature=objective.temperature, **failures
    )

  metrics = {"accuracy": _accuracy(pairs, pair_text, pair_task)}
  if objective.fvlc:
    own = (
      video["failure"],
      texts["robot"][task["failure"]],
      texts["failure"][task["failure"]],
      cluster_labels[indices["failure"]["record"]],
    )
    terms["fvlc"] = losses.failure_video_language_contrastive(
      *own, temperature=objective.temperature
    )
    metrics["failure_accuracy"] = _failure_accuracy(*own)
  if objective.bce:
    tried = ("robot", "failure")
    clips = jnp.concatenate([video[name] for name in tried])
    own = texts["robot"][jnp.concatenate([task[name] for name in tried])]
    success = np.repeat([1.0, 0.0], [len(video[name]) for name in tried])
    terms["bce"] = losses.binary_cross_entropy(clips, own, success)

  loss = sum(getattr(objective, name) * term for name, term in terms.items())
  metrics["temperature"] = jnp.float32(objective.temperature)
  return loss, terms | metrics


def _accuracy(video, text, task):
  """Share of clips whose nearest text of the batch is of their task."""
  nearest = jnp.argmax(video @ text.T, axis=1)
  return jnp.mean(task[nearest] == task)


def _failure_accuracy(video, text, failure_text, cluster):
  """Share of failed clips nearest to their own failure prompt's text."""
  texts = jnp.concatenate([text[:, None], failure_text], axis=1)
  nearest = jnp.argmax(jnp.einsum("be,bke->bk", video, texts), axis=1)
  return jnp.mean(nearest == 1 + cluster)
