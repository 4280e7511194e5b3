"""Batches of a run's clips, for the loop."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax

from data import pipeline


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
  spec = pipeline.BatchSpec(
    labels=data.labels if labels is None else labels,
    batch_sizes={name: sizes[name] for name in groups},
    num_frames=start.model.config.num_frames,
    image_size=start.model.config.image_size,
    seed=config.seed,
    label_by=data.label_by,
    process_index=jax.process_index(),
    process_count=jax.process_count(),
  )
  for batch in pipeline.make_batches(
    data.robot,
    data.human,
    spec,
    num_steps=config.train.num_steps,
    start_step=step,
  ):
    yield {name: batch[name] for name in groups}
