"""The training objective's terms, as pure functions of features."""

from a2r.losses.binary import binary_cross_entropy
from a2r.losses.contrastive import (
  cross_domain_contrastive,
  video_language_contrastive,
)
from a2r.losses.failure import failure_video_language_contrastive

__all__ = [
  "binary_cross_entropy",
  "cross_domain_contrastive",
  "failure_video_language_contrastive",
  "video_language_contrastive",
]
