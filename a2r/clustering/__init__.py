"""Clusters of failure clips: one per failure prompt."""

from a2r.clustering.alignment import align_clusters
from a2r.clustering.kmeans import Clusters, spherical_kmeans

__all__ = ["Clusters", "align_clusters", "spherical_kmeans"]
