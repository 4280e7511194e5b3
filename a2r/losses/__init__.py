"""The training objectives' terms, as pure functions of features."""

from a2r.losses.binary import binary_cross_entropy
from a2r.losses.classification import (
  class_log_odds,
  concept2robot_reward,
  softmax_cross_entropy,
)
from a2r.losses.contrastive import (
  cross_domain_contrastive,
  video_language_contrastive,
)
from a2r.losses.discrimination import same_task_discrimination
from a2r.losses.failure import failure_video_language_contrastive
from a2r.losses.masked_language import masked_language_modeling
from a2r.losses.matching import image_text_matching
from a2r.losses.soft_targets import soft_target_contrastive
from a2r.losses.triplet import triplet_margin
from a2r.losses.value_implicit import (
  language_image_contrastive,
  value_implicit,
)

__all__ = [
  "binary_cross_entropy",
  "class_log_odds",
  "concept2robot_reward",
  "cross_domain_contrastive",
  "failure_video_language_contrastive",
  "image_text_matching",
  "language_image_contrastive",
  "masked_language_modeling",
  "same_task_discrimination",
  "soft_target_contrastive",
  "softmax_cross_entropy",
  "triplet_margin",
  "value_implicit",
  "video_language_contrastive",
]
