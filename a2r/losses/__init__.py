"""The training objectives' terms, as pure functions of features."""

from a2r.losses.binary import binary_cross_entropy
from a2r.losses.contrastive import (
  cross_domain_contrastive,
  video_language_contrastive,
)
from a2r.losses.failure import failure_video_language_contrastive
from a2r.losses.masked_language import masked_language_modeling
from a2r.losses.matching import image_text_matching
from a2r.losses.soft_targets import soft_target_contrastive

__all__ = [
  "binary_cross_entropy",
  "cross_domain_contrastive",
  "failure_video_language_contrastive",
  "image_text_matching",
  "masked_language_modeling",
  "soft_target_contrastive",
  "video_language_contrastive",
]
