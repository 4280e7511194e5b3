"""Keeping a cluster's number, and so its prompt's meaning, over epochs.

Letters: K clusters, N points, D feature width.
"""

import chex
import jax
import jax.numpy as jnp
import optax

from a2r.clustering import kmeans


@jax.jit
def align_clusters(
  previous_centers: jax.Array, clusters: kmeans.Clusters
) -> kmeans.Clusters:
  """Returns the clusters renumbered to follow the previous centers.

  The numbering maximizes the summed cosine between each previous center and
  the new center of its number: the optimal assignment between the clusters of
  two epochs of Adapt2Reward (https://arxiv.org/abs/2407.14872), section 3.

  Args:
    previous_centers: `[K, D]` unit centers of the last epoch.
    clusters: K clusters of N points in D dimensions.

  Returns:
    The same clusters, centers and labels permuted alike.
  """
  chex.assert_rank(previous_centers, 2)
  chex.assert_equal_shape([previous_centers, clusters.centers])

  cosines = jnp.einsum(
    "kd,qd->kq",
    previous_centers.astype(jnp.float32),
    clusters.centers,
    precision=jax.lax.Precision.HIGHEST,
  )
  old, new = optax.assignment.hungarian_algorithm(-cosines)
  new_of_old = jnp.zeros_like(new).at[old].set(new)
  old_of_new = jnp.zeros_like(old).at[new].set(old)
  labels = jnp.where(
    clusters.labels >= 0, old_of_new[clusters.labels], clusters.labels
  )
  return clusters.replace(
    centers=clusters.centers[new_of_old], labels=labels.astype(jnp.int32)
  )
