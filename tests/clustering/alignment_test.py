"""Clusters keep their numbers from epoch to epoch."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import clustering


def permuted(clusters, order):
  order = np.asarray(order)
  numbers = np.argsort(order)
  labels = np.asarray(clusters.labels)
  return clusters.replace(
    centers=clusters.centers[order],
    labels=jnp.where(labels >= 0, numbers[labels], -1),
  )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_permutation_is_undone(order):
  clusters = clustering.Clusters(
    centers=jnp.eye(3, 5),
    labels=jnp.array([0, 1, 2, -1, 1, 0]),
    objective=jnp.float32(0.3),
  )
  aligned = clustering.align_clusters(
    clusters.centers, permuted(clusters, order)
  )
  np.testing.assert_array_equal(aligned.centers, clusters.centers)
  np.testing.assert_array_equal(aligned.labels, clusters.labels)
  np.testing.assert_array_equal(aligned.objective, clusters.objective)


def test_the_assignment_is_the_best_over_all_permutations():
  draw = np.random.default_rng(0)
  previous, centers = draw.normal(size=(2, 5, 4))
  previous /= np.linalg.norm(previous, axis=1, keepdims=True)
  centers /= np.linalg.norm(centers, axis=1, keepdims=True)
  best = max(
    np.sum(previous * centers[list(order)])
    for order in itertools.permutations(range(5))
  )
  clusters = clustering.Clusters(
    jnp.asarray(centers, jnp.float32), jnp.arange(5), jnp.float32(0)
  )
  aligned = clustering.align_clusters(jnp.asarray(previous), clusters)
  np.testing.assert_allclose(
    np.sum(previous * aligned.centers), best, rtol=1e-5
  )
  # A label still means the same center.
  np.testing.assert_allclose(
    aligned.centers[aligned.labels], centers, rtol=1e-6
  )


def test_tasks_can_be_vmapped():
  centers = jnp.stack([jnp.eye(3), jnp.eye(3)[jnp.array([1, 2, 0])]])
  clusters = clustering.Clusters(
    centers, jnp.tile(jnp.arange(3), (2, 1)), jnp.zeros(2)
  )
  previous = jnp.stack([jnp.eye(3)] * 2)
  aligned = jax.vmap(clustering.align_clusters)(previous, clusters)
  np.testing.assert_array_equal(aligned.centers, previous)
  np.testing.assert_array_equal(aligned.labels, [[0, 1, 2], [1, 2, 0]])
