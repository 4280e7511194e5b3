"""Every row of Concept2Robot's table: built, placed, played, judged, drawn."""

import numpy as np
import pytest

from a2r.sim.concept import (
  arm,
  drawing,
  margins,
  outcomes,
  physics,
  policies,
  tasks,
)
from a2r.sim.humans import templates

# What is done before anything is done; the release has it so, too.
DONE_BY_NOTHING = (16,)
STARTS = 4


@pytest.mark.parametrize("number", tasks.ALL_TASKS)
def test_a_row(number):
  task = tasks.ALL_TASKS[number]
  seeds = [[7, number, n] for n in range(STARTS)]
  start = policies.sample_start(task.scene, seeds)
  flange = arm.forward(start.arm).position
  off = np.linalg.norm(flange - start.positions[:, -1], axis=-1)
  assert off.max() < 2e-3  # Meters: the arm reaches its start.
  still = np.zeros((STARTS, physics.ACTION_SIZE))
  episode = physics.play(task.scene, start, still)
  assert np.isfinite(episode.qpos).all()
  record = margins.Record(task.scene, episode)
  outcome = outcomes.judge(task, record)
  if number in DONE_BY_NOTHING:
    assert outcome.success.all()
  else:
    assert outcome.success.mean() <= 0.25
  if task.scene.hand.holds:  # What is held stays where it is.
    thing = task.scene.hand.holds
    assert margins.moved(record, thing).max() < 0.02
  assert (drawing.make_slots(task.scene).rows >= 0).sum() > 18


def test_they_are_the_68_of_the_release_that_can_be_played():
  assert len(tasks.TASKS) == 68
  assert {111, 112, 173} <= {n for n, t in tasks.ALL_TASKS.items() if t.ours}
  assert not {7, 49, 60, 62, 108, 123, 129, 130, 164} & set(tasks.ALL_TASKS)
  assert len(tasks.NAMES) == len(tasks.ALL_TASKS) + len(tasks.AS_RELEASED)


@pytest.mark.parametrize("name", tasks.NAMES)
def test_an_instruction_names_all_things(name):
  assert "something" not in tasks.NAMES[name].instruction


def test_the_twelve_are_tasks_of_their_own():
  assert len(set(tasks.TRAINED)) == 12
  assert set(tasks.TRAINED) <= set(tasks.TASKS)
  for one, twin in ((122, 22), (158, 57), (160, 56), (171, 121)):
    assert not {one, twin} <= set(tasks.TRAINED)
  instructions = {tasks.TASKS[n].instruction for n in tasks.TRAINED}
  assert len(instructions) == 12
  shown = {tasks.TASKS[n].template for n in tasks.TRAINED}
  assert shown <= set(templates.TEMPLATES)  # People are seen doing each.


@pytest.mark.parametrize("name", ["5", "closing_something"])
def test_a_task_has_a_number_and_a_name(name):
  assert tasks.get(name) is tasks.TASKS[5]


@pytest.mark.parametrize("name", ["7", "", "5 ", "\u00b2", "closing"])
def test_an_unknown_task_lists_the_known(name):
  with pytest.raises(KeyError, match="unknown task .*closing_something"):
    tasks.get(name)


def test_the_release_s_tests_have_names():
  task = tasks.get("holding_something_next_to_something_as_released")
  assert task.number == 19
  assert task.margin is not tasks.TASKS[19].margin
