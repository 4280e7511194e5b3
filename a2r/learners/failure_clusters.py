"""Which failure prompt each failed training clip belongs to.

Letters: F failed clips, T frames, H W picture, M tasks, K clusters per task,
E feature width.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from absl import logging

from a2r import clustering
from a2r.core import batching, images
from a2r.models import adapt2reward as net

Extra = dict[str, Any]
_CHUNK = 32  # Clips of a call; fewer are filled up to as many.


def unclustered(model: net.Adapt2Reward, num_clips: int) -> Extra:
  """Returns the extra of a run without failure prompts: no clip has one."""
  # At least one: an empty array cannot be saved.
  num_clusters = max(model.num_failure_prompts, 1)
  shape = (model.num_tasks, num_clusters, model.config.embed_dim)
  return {
    "centers": np.zeros(shape, np.float32),
    "cluster_labels": np.full(max(num_clips, 1), -1, np.int32),
  }


def make_cluster_fn(
  model: net.Adapt2Reward, frames: np.ndarray, task: np.ndarray
) -> Callable[..., tuple[Extra, dict[str, float]]]:
  """Returns `cluster(params, *, rng=None, previous=None) -> (extra, metrics)`.

  It embeds all failed clips and clusters those of each task into K (Adapt2-
  Reward, https://arxiv.org/abs/2407.14872, eq. 6): from seeds drawn with
  `rng`, or from the `previous` extra's centers, whose numbering it then keeps.
  With `previous` nothing is drawn.

  Args:
    model: the module; its sizes give M and K.
    frames: `[F, T, H, W, 3]` uint8.
    task: `[F]` in [0, M).

  Raises:
    ValueError: a task without clips, or clips of others.
  """
  _check_tasks(model, task)
  num_tasks, num_clusters = model.num_tasks, model.num_failure_prompts
  masks = task[None] == np.arange(num_tasks)[:, None]

  def cluster(params, *, rng=None, previous=None):
    rng = jax.random.key(0) if rng is None else rng
    params = jax.device_put(params)
    embed = functools.partial(_embed, model, params)
    features = batching.map_chunks(embed, (_CHUNK,), frames)
    start = None if previous is None else previous["centers"]
    clusters = jax.device_get(
      _cluster(features, masks, start, rng, num_clusters)
    )
    labels = clusters.labels[task, np.arange(len(task))]
    metrics = {
      "clusters/objective": float(np.mean(clusters.objective)),
      # Share of its task's clips that the smallest cluster of all has.
      "clusters/smallest": float(
        min(
          np.bincount(labels[mask], minlength=num_clusters).min() / mask.sum()
          for mask in masks
        )
      ),
    }
    if previous is not None:
      changed = np.mean(labels != previous["cluster_labels"])
      metrics["clusters/changed"] = float(changed)
    return {"centers": clusters.centers, "cluster_labels": labels}, metrics

  return cluster


@functools.partial(jax.jit, static_argnames="model")
def _embed(model, params, clips):
  """`[n, E]` unit features of `[n, T, H, W, 3]` uint8 clips."""
  return model.apply(
    {"params": params}, images.normalize(clips), method="video"
  )


@functools.partial(jax.jit, static_argnames="num_clusters")
def _cluster(features, masks, start, rng, num_clusters):
  """Clusters `[F, E]` within each of the `[M, F]` masks, from `[M, K, E]`.

  Without a start (None) the seeds are drawn; with one, nothing is, and the
  clusters keep its numbering.
  """

  def cluster_task(mask, start, rng):
    clusters = clustering.spherical_kmeans(
      rng, features, num_clusters, mask=mask, initial_centers=start
    )
    if start is None:
      return clusters
    return clustering.align_clusters(start, clusters)

  rngs = jax.random.split(rng, len(masks))
  return jax.vmap(cluster_task)(masks, start, rngs)


def _check_tasks(model, task):
  num_tasks, num_clusters = model.num_tasks, model.num_failure_prompts
  if num_clusters < 1:
    raise ValueError(
      "the failure prompts' loss needs at least one prompt per task, got "
      f"{num_clusters}; for a run without them set loss.weights.fvlc to 0"
    )
  outside = sorted(set(task[(task < 0) | (task >= num_tasks)].tolist()))
  if outside:
    raise ValueError(
      f"failed clips of the tasks {outside}, but only the tasks below "
      f"{num_tasks} have failure prompts"
    )
  counts = np.bincount(task, minlength=num_tasks)
  if not counts.all():
    raise ValueError(
      f"the tasks {np.flatnonzero(counts == 0).tolist()} have no failed clip; "
      "give them some, or set loss.weights.fvlc to 0"
    )
  if counts.min() < num_clusters:
    logging.warning(
      "a task has %d failed clips for %d failure prompts: some prompts stay "
      "without a clip",
      counts.min(),
      num_clusters,
    )
