"""k-means on the unit sphere.

Letters: N points, K clusters, D feature width.
"""

import functools

import chex
import jax
import jax.numpy as jnp
from flax import struct

_EPS = 1e-6


@struct.dataclass
class Clusters:
  """A clustering of N points.

  centers: `[K, D]` float32, unit length.
  labels: `[N]` int32 in [0, K), the nearest center; -1 where masked out.
  objective: `[]` float32, mean over the points of 1 - cosine to their center.
  """

  centers: jax.Array
  labels: jax.Array
  objective: jax.Array


@functools.partial(jax.jit, static_argnames=("num_clusters", "num_iters"))
def spherical_kmeans(
  rng: jax.Array,
  features: jax.Array,
  num_clusters: int,
  *,
  num_iters: int = 25,
  mask: jax.Array | None = None,
  initial_centers: jax.Array | None = None,
) -> Clusters:
  """Returns K unit centers that the points are close to in angle.

    min_C 1/N sum_i min_k (1 - v_i.C_k)

  Adapt2Reward (https://arxiv.org/abs/2407.14872), eq. 6. Centers are seeded
  one after the other with probability proportional to 1 - cosine to the
  nearest center so far (Arthur and Vassilvitskii, "k-means++", 2007, with the
  sphere's distance). A cluster that loses all its points restarts at the point
  farthest from its center. With fewer distinct points than clusters some
  centers coincide and the later of them own no point; with no point at all
  the centers mean nothing.

  Args:
    rng: key for the seeding; consumed.
    features: `[N, D]` points, scaled to unit length here.
    num_clusters: K.
    num_iters: rounds of assigning points and averaging centers.
    mask: `[N]` True where a point counts; all by default.
    initial_centers: `[K, D]` start here instead of seeding.

  Returns:
    The clusters. The objective never grows with `num_iters`.
  """
  chex.assert_rank(features, 2)
  num_points, width = features.shape
  if mask is None:
    mask = jnp.ones((num_points,), bool)
  mask = mask.astype(bool)
  chex.assert_shape(mask, (num_points,))
  features = _unit(features.astype(jnp.float32))
  if initial_centers is None:
    centers = _seed(rng, features, mask, num_clusters)
  else:
    chex.assert_shape(initial_centers, (num_clusters, width))
    centers = _unit(initial_centers.astype(jnp.float32))

  centers = jax.lax.fori_loop(
    0, num_iters, lambda _, centers: _update(features, mask, centers), centers
  )
  labels, distance = _assign(features, mask, centers)
  objective = distance.sum() / jnp.maximum(mask.sum(), 1)
  return Clusters(centers=centers, labels=labels, objective=objective)


def _seed(rng, features, mask, num_clusters):
  """`[K, D]` points drawn far from each other."""

  def draw(rng, weights):
    # Nothing is far any more: any point will do.
    weights = jnp.where(weights.sum() > _EPS, weights, mask.astype(jnp.float32))
    logits = jnp.where(weights > 0, jnp.log(jnp.maximum(weights, _EPS)), -1e9)
    return features[jax.random.categorical(rng, logits)]

  def add(k, carry):
    centers, nearest = carry
    center = draw(jax.random.fold_in(rng, k), nearest)
    distance = jnp.where(mask, 1.0 - _cosines(features, center[None])[:, 0], 0)
    nearest = jnp.minimum(nearest, jnp.maximum(distance, 0.0))
    return centers.at[k].set(center), nearest

  centers = jnp.zeros((num_clusters, features.shape[1]))
  nearest = mask.astype(jnp.float32) * 2.0
  return jax.lax.fori_loop(0, num_clusters, add, (centers, nearest))[0]


def _update(features, mask, centers):
  """`[K, D]` mean directions; empty clusters move to the farthest points."""
  labels, distance = _assign(features, mask, centers)
  members = jax.nn.one_hot(labels, centers.shape[0])  # -1 gives a row of zeros.
  sums = jnp.einsum(
    "nk,nd->kd", members, features, precision=jax.lax.Precision.HIGHEST
  )
  norm = jnp.linalg.norm(sums, axis=1, keepdims=True)
  means = jnp.where(norm > _EPS, sums / jnp.maximum(norm, _EPS), centers)

  empty = members.sum(axis=0) == 0
  farthest = jnp.argsort(jnp.where(mask, -distance, jnp.inf))
  rank = jnp.minimum(jnp.cumsum(empty) - 1, mask.sum() - 1)
  restarts = features[farthest[jnp.maximum(rank, 0)]]
  return jnp.where(empty[:, None], restarts, means)


def _assign(features, mask, centers):
  """`[N]` nearest centers (-1 where masked), `[N]` 1 - cosine to them."""
  cosines = _cosines(features, centers)
  labels = jnp.where(mask, jnp.argmax(cosines, axis=1), -1)
  distance = jnp.where(mask, 1.0 - cosines.max(axis=1), 0.0)
  return labels.astype(jnp.int32), distance


def _cosines(features, centers):
  return jnp.einsum(
    "nd,kd->nk", features, centers, precision=jax.lax.Precision.HIGHEST
  )


def _unit(x):
  norm = jnp.linalg.norm(x, axis=-1, keepdims=True)
  return x / jnp.maximum(norm, _EPS)
