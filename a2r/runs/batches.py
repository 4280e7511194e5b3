"""Batches of a run's clips, for the loop."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax

from data import pipeline

_KEYS = ("frames", "task", "record")


def make_batches(
  config: Any,
  data: Any,
  start: Any,
  *,
  groups: Sequence[str],
  step: int,
  labels: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
  """Batches from `step` on, without what the learner does not look at.

  Args:
    config: the settings.
    data: the run's clips, a `prepare.Data`.
    start: the network, an `initial.Start`.
    groups: the parts of a batch that the learner looks at.
    step: the first.
    labels: what `task` counts; the run's labels by default.
  """
  sizes = config.train.batch.to_dict()
  batches = pipeline.make_batches(
    data.robot,
    data.human,
    instructions=data.labels if labels is None else labels,
    tokenizer=start.tokenizer,
    batch_sizes={k: sizes[k] if k in groups else 0 for k in sizes},
    num_frames=start.model.config.num_frames,
    image_size=start.model.config.image_size,
    seed=config.seed,
    start_step=step,
    num_steps=config.train.num_steps,
    max_length=start.max_length,
    label_by=data.label_by,
    process_index=jax.process_index(),
    process_count=jax.process_count(),
  )
  for batch in batches:
    yield {name: {k: batch[name][k] for k in _KEYS} for name in groups}
