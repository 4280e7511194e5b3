"""A run's clips as its method asks for them, see `a2r.learners.base.Clips`.

Letters: N clips, T frames, S picture size.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from a2r import sim
from a2r.core import text as text_lib
from a2r.runs import datasets, settings, weights
from a2r.runs.sources import user
from a2r.sim.humans import people
from data import pipeline
from data.ssv2 import layout

# Demonstrations that are made have a seed that no run's training clips have.
_SEED = 1_000_000


class Clips:
  """The clips of a run, in the sizes of its network."""

  def __init__(
    self,
    run: settings.Settings,
    data: datasets.Data,
    start: weights.Start,
  ):
    """Reads nothing yet."""
    self._run, self._data = run, data
    sizes = start.model.config
    self._sizes = dict(num_frames=sizes.num_frames, image_size=sizes.image_size)
    successes, failures = data.robot.split()
    self._datasets = dict(human=data.human, robot=successes, failure=failures)
    self.parts = tuple(name for name, size in run.batch.items() if size)

  def batches(
    self, step: int, labels: Sequence[str] | None = None
  ) -> Iterator[dict[str, Any]]:
    """Yields the batches from `step` on, see `base.Clips`."""
    spec = pipeline.BatchSpec(
      labels=self._data.labels if labels is None else labels,
      batch_sizes=self._run.batch,
      **self._sizes,
      seed=self._run.seed,
      label_by=self._data.label_by,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    )
    for batch in pipeline.make_batches(
      self._data.robot,
      self._data.human,
      spec,
      num_steps=self._run.clocks.num_steps,
      start_step=step,
    ):
      yield {name: batch[name] for name in self.parts}

  def frames(self, part: str) -> np.ndarray:
    """Returns all clips of a part, `[N, T, S, S, 3]` uint8."""
    return pipeline.load_frames(self._datasets[part], **self._sizes)

  def tasks(self, part: str) -> np.ndarray:
    """Returns the tasks `[N]` of all clips of a part, rows of the labels."""
    return pipeline.label_rows(
      self._datasets[part], self._data.labels, self._data.label_by
    )

  def demonstrations(self, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns human clips of each label and of each tabletop task.

    Where human clips are made, or there are none, demonstrations are made too,
    apart from those to train on. Those of Something-Something V2 are of its
    validation split. Else they are the first human clips of each label, and the
    tabletop's other tasks have none; nor has a label that has too few.
    """
    data, config = self._data, self._run.data
    human, labels, column = data.human, list(data.labels), data.label_by
    tasks = [task.template for task in sim.TASKS.values()]
    if config.human.source in ("procedural", "none"):
      column, labels = "template", labels + tasks * (column == "template")
      changed = settings.change_human(
        config,
        source="procedural",
        templates=tuple(t for t in people.TEMPLATES if t in labels),
        clips_per_template=num,
      )
      chosen = datasets.open_human(changed, _SEED + self._run.seed)
    else:
      if config.human.source == "ssv2" and column == "template":
        shown = set(human.template.tolist())
        labels = [label for label in labels if label in shown] + tasks
        labels = list(dict.fromkeys(labels))
        changed = settings.change_human(
          config, templates=tuple(labels), clips_per_template=num
        )
        human = datasets.open_human(changed, self._run.seed, split="validation")
      values = getattr(human, column)
      rows = [np.flatnonzero(values == label)[:num] for label in labels]
      rows = [few for few in rows if len(few) == num]
      if not rows:
        raise ValueError(f"no task has dvd.num_demos={num} human clips")
      chosen = human.select(np.concatenate(rows))
    frames = pipeline.load_frames(chosen, **self._sizes)
    return frames, getattr(chosen, column).astype(str)

  def read_labels(
    self, labels: Sequence[str]
  ) -> tuple[dict[str, str], list[str]]:
    """Returns text -> label, and one instruction for each label.

    The texts are the run's, the plain labels and the tabletop's tasks. The
    instruction of a label is the run's text; in the tabletop that of its task,
    so that a task which the robot did not show is not there twice.
    """
    data, known = self._data, set(labels)
    texts = dict(zip(data.texts, data.labels, strict=True))
    instruction = dict(zip(data.labels, data.texts, strict=True))
    tasks = {}
    if data.label_by == "template":
      tasks = {t.instruction: t.template for t in sim.TASKS.values()}
      if self._run.data.robot.source == "tabletop":
        by_label = {label: text for text, label in tasks.items()}
        instruction = {c: by_label.get(c, t) for c, t in instruction.items()}
    plain = {layout.plain(label): label for label in data.labels}
    readings = {
      text: label
      for text, label in (plain | tasks | texts).items()
      if label in known
    }
    # The instructions of `datasets.open_test`'s clips.
    config, evaluation = self._run.data, self._run.eval
    asked = list(data.validation.instruction)
    if not config.robot.is_users:
      used = evaluation.tasks if evaluation.environments else ()
      asked += [sim.TASKS[name].instruction for name in used]
    elif config.robot.test_path:
      asked += user.open_robot(config, key="test_path")[0].instruction.tolist()
    lacking = [
      repr(str(text))
      for text in dict.fromkeys(asked)
      if text_lib.find_instruction(text, list(readings)) is None
    ]
    if lacking:
      raise ValueError(
        f"{self._run.method.name} cannot judge {', '.join(lacking)}: no human "
        f"clips of it; it can judge {', '.join(map(repr, readings))}"
      )
    return readings, [t for c, t in instruction.items() if c in known]
