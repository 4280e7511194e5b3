"""Task generalization: the reward for tasks that no robot was seen doing.

Robot clips of three tasks, successes and failures; human clips of none, 3, 6 or
9 tasks. The reward is then judged, in the same environment, on four tasks that
it has no robot clip of. Adapt2Reward (https://arxiv.org/abs/2407.14872), table
1, whose columns are `robot_only`, `plus3`, `plus6` and `plus9`.

  python -m launch.train --config=configs/taskgen.py:plus6
  python -m launch.train --config=configs/taskgen.py:plus6,smoke

After the column comes the size: `small` (the default), `paper` or `smoke`, as
in configs/envgen.py. Which human tasks a column has is in configs/tasks.py.
"""

from ml_collections import config_dict

from configs import envgen, tasks

COLUMNS = ("robot_only", "plus3", "plus6", "plus9")
SIZES = ("small", "paper", "smoke")
ROBOT_TASKS = ("open_drawer", "push_cup_right_to_left", "poke_cup")
ENVIRONMENT = "tabletop/train"
# What is drawn in place of an activity that the procedural clips lack.
_DRAWN = {
  "Pushing something so that it slightly moves": (
    "Poking something so it slightly moves"
  )
}


def get_config(column_and_size: str = "plus6") -> config_dict.ConfigDict:
  """Settings of one column, such as 'plus6' or 'robot_only,paper'."""
  column, _, size = column_and_size.partition(",")
  size = size or SIZES[0]
  if column not in COLUMNS or size not in SIZES:
    raise ValueError(
      f"unknown {column_and_size!r}; known: a column ({', '.join(COLUMNS)}), "
      f"or a column and a size ({', '.join(SIZES)}) such as plus6,smoke"
    )
  config = envgen.get_config(size)
  config.data.robot.tasks = ROBOT_TASKS
  config.eval.environments = (ENVIRONMENT,)
  if column == "robot_only":
    config.data.human.update(source="none", templates=())
    config.train.batch.human = 0
    return config
  templates = tasks.find(column)
  if config.data.human.source == "procedural":
    templates = tuple(_DRAWN.get(name, name) for name in templates)
  config.data.human.templates = templates
  if size == "smoke":
    # It knows tasks by their human clips alone: all that are judged have some.
    config.concept2robot.templates = tasks.find("plus6")
  if size == "small":
    # Nothing else shows the tasks that it is judged on (docs/experiments.md).
    config.data.human.clips_per_template = 400
    config.train.batch.human = 24
  return config
