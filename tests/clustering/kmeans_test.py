"""Spherical k-means on points whose clusters are known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r import clustering

KEY = jax.random.key(0)


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


def blobs(num_clusters=3, per_cluster=10, width=4, noise=0.05, seed=0):
  draw = np.random.default_rng(seed)
  labels = np.repeat(np.arange(num_clusters), per_cluster)
  points = np.eye(width)[labels] + noise * draw.normal(
    size=(len(labels), width)
  )
  return unit(points).astype(np.float32), labels


def same_partition(labels, expected):
  pairs = set(zip(labels.tolist(), expected.tolist(), strict=True))
  return len(pairs) == len(set(labels.tolist())) == len(set(expected.tolist()))


@pytest.mark.parametrize("seed", range(5))
def test_separated_blobs_are_recovered(seed):
  points, expected = blobs()
  clusters = clustering.spherical_kmeans(jax.random.key(seed), points, 3)
  assert same_partition(np.asarray(clusters.labels), expected)
  chex.assert_shape(clusters.centers, (3, 4))
  np.testing.assert_allclose(
    np.linalg.norm(clusters.centers, axis=1), 1.0, rtol=1e-5
  )


def test_center_and_objective_by_hand():
  # The mean direction of (1, 0) and (.6, .8) is (2, 1) / sqrt(5).
  points = jnp.array([[1.0, 0.0], [0.6, 0.8]])
  clusters = clustering.spherical_kmeans(KEY, points, 1)
  np.testing.assert_allclose(
    clusters.centers, [[2 / 5**0.5, 1 / 5**0.5]], rtol=1e-5
  )
  np.testing.assert_allclose(clusters.objective, 1 - 2 / 5**0.5, rtol=1e-5)
  np.testing.assert_array_equal(clusters.labels, [0, 0])


def test_length_of_the_points_does_not_matter():
  points, _ = blobs(seed=1)
  scale = np.random.default_rng(0).uniform(0.1, 9, (len(points), 1))
  one = clustering.spherical_kmeans(KEY, points, 3)
  other = clustering.spherical_kmeans(
    KEY, (points * scale).astype(np.float32), 3
  )
  chex.assert_trees_all_close(one, other, atol=1e-5)


def test_masked_points_do_not_count():
  points, expected = blobs()
  outliers = np.tile([[0, 0, 0, 1.0]], (30, 1)).astype(np.float32)
  mask = np.arange(60) % 2 == 0
  mixed = np.zeros((60, 4), np.float32)
  mixed[mask], mixed[~mask] = points, outliers
  clusters = clustering.spherical_kmeans(KEY, mixed, 3, mask=mask)
  labels = np.asarray(clusters.labels)
  np.testing.assert_array_equal(labels[~mask], -1)
  assert same_partition(labels[mask], expected)
  assert np.abs(clusters.centers[:, 3]).max() < 0.1
  nearest = np.max(points @ np.asarray(clusters.centers).T, axis=1)
  np.testing.assert_allclose(
    clusters.objective, np.mean(1 - nearest), atol=1e-6
  )


def test_objective_decreases_with_iterations():
  points = unit(np.random.default_rng(3).normal(size=(40, 4)))
  points = points.astype(np.float32)
  objectives = []
  clusters = None
  centers = jnp.asarray(points[:5])
  for _ in range(6):
    clusters = clustering.spherical_kmeans(
      KEY, points, 5, num_iters=1, initial_centers=centers
    )
    centers = clusters.centers
    objectives.append(float(clusters.objective))
  assert all(np.diff(objectives) <= 1e-6)
  assert objectives[-1] < objectives[0] - 1e-3
  assert (np.asarray(clusters.labels) >= 0).all()


def test_warm_start_at_the_solution_stays():
  points, expected = blobs()
  centers = np.eye(4, dtype=np.float32)[[2, 0, 1]]
  clusters = clustering.spherical_kmeans(
    KEY, points, 3, initial_centers=centers
  )
  np.testing.assert_array_equal(clusters.labels, np.array([1, 2, 0])[expected])


def test_empty_cluster_is_seeded_again():
  points, expected = blobs()
  # Two centers sit where no point is; both must come back to life.
  centers = np.array([[1, 1, 1, 0], [0, 0, 0, -1], [0, 0, 0.0, -1]], np.float32)
  clusters = clustering.spherical_kmeans(
    KEY, points, 3, initial_centers=centers
  )
  assert same_partition(np.asarray(clusters.labels), expected)


@pytest.mark.parametrize("mask", [[1, 0, 1], [0, 1, 0], [0, 0, 0]])
def test_fewer_points_than_clusters(mask):
  points = np.eye(3, dtype=np.float32)
  clusters = clustering.spherical_kmeans(
    KEY, points, 4, mask=np.array(mask, bool)
  )
  labels = np.asarray(clusters.labels)
  chex.assert_tree_all_finite(clusters.centers)
  np.testing.assert_allclose(clusters.objective, 0.0, atol=1e-6)
  np.testing.assert_array_equal(labels == -1, np.array(mask) == 0)
  assert len(set(labels[labels >= 0])) == sum(mask)
  equal = np.tile([[0.6, 0.8, 0.0]], (3, 1)).astype(np.float32)
  clusters = clustering.spherical_kmeans(KEY, equal, 4)
  assert len(set(np.asarray(clusters.labels).tolist())) == 1
  np.testing.assert_allclose(clusters.objective, 0.0, atol=1e-6)


def test_same_key_same_clusters_and_tasks_can_be_vmapped():
  points, _ = blobs()
  one = clustering.spherical_kmeans(KEY, points, 3)
  chex.assert_trees_all_equal(one, clustering.spherical_kmeans(KEY, points, 3))
  masks = np.stack([np.arange(30) < 15, np.arange(30) >= 15])

  def cluster(mask):
    return clustering.spherical_kmeans(KEY, points, 3, mask=mask)

  both = jax.vmap(cluster)(masks)
  chex.assert_shape(both.centers, (2, 3, 4))
  for i, mask in enumerate(masks):
    chex.assert_trees_all_close(
      jax.tree.map(lambda x, i=i: x[i], both), cluster(mask), atol=1e-5
    )
