"""Named lists of Something-Something V2 templates: what people are seen doing.

`experiments` goes with environment generalization. `plus3`, `plus6` and `plus9`
stand for the columns "+3", "+6" and "+9 human tasks" of task generalization
(Adapt2Reward, https://arxiv.org/abs/2407.14872, table 1). The paper names none
of them. They are put together here from DVD (https://arxiv.org/abs/2103.16817),
whose protocol that table follows: first what its robot shows, then what it is
judged on, then what its released code names besides.
"""

from a2r.core import checks
from configs import envgen

# The three tasks that the robot shows in task generalization.
_ROBOT = (
  "Opening something",
  "Pushing something from right to left",
  "Poking something so lightly that it doesn't or almost doesn't move",
)
# DVD's three target tasks.
_TARGETS = (
  "Closing something",
  "Moving something away from the camera",
  "Pushing something from left to right",
)
# The opposite that is in DVD's released list of six human tasks; the fourth
# target, which DVD words as pushing; and one that its data loader names.
_MORE = (
  "Moving something towards the camera",
  "Moving part of something",
  "Pushing something so that it slightly moves",
)

TEMPLATES = {
  "experiments": envgen.HUMAN_TEMPLATES,
  "plus3": _ROBOT,
  "plus6": _ROBOT + _TARGETS,
  "plus9": _ROBOT + _TARGETS + _MORE,
  "all": (),  # Whatever labels.json has.
}


def find(name: str) -> tuple[str, ...]:
  """The templates of a named list; none stands for all of them.

  Raises:
    ValueError: an unknown name; lists the known.
  """
  checks.one_of("list of templates", name, TEMPLATES)
  return TEMPLATES[name]
