"""The training objectives' terms, as pure functions of features."""

from a2r.losses.classification import (
  binary_cross_entropy,
  class_log_odds,
  concept2robot_reward,
  same_task_discrimination,
  softmax_cross_entropy,
)
from a2r.losses.contrastive import (
  cross_domain_contrastive,
  failure_video_language_contrastive,
  soft_target_contrastive,
  triplet_margin,
  video_language_contrastive,
)
from a2r.losses.masked_language import masked_language_modeling
from a2r.losses.matching import image_text_matching
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
