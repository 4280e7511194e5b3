"""Planted faults: each is one clear line."""

import pytest

from data import checks

INSTRUCTIONS = ["closing drawer", "opening drawer", "moving part of faucet"]


@pytest.fixture
def check(robot, human):
  """Function of changes to what is wrong, '' where nothing is."""

  def run(robot=robot, human=human, instructions=INSTRUCTIONS, **changes):
    arguments = {"num_trained": len(instructions)} | changes
    try:
      checks.check_data(robot, human, instructions=instructions, **arguments)
    except ValueError as error:
      assert "\n" not in str(error)
      return str(error)
    return ""

  return run


def test_good_data_passes(check):
  assert not check() and not check(human=None)


@pytest.mark.parametrize("successes, failures", [(4, 0), (0, 4), (0, 0)])
def test_a_task_without_clips_of_an_outcome(check, robot, successes, failures):
  kept = (robot.success & (successes > 0)) | (~robot.success & (failures > 0))
  few = robot.select(kept | (robot.task != "open_drawer"))
  counts = f"'opening drawer' has {successes} successes and {failures} failures"
  message = check(robot=few)
  assert counts in message
  assert ("--config.loss.weights.fvlc=0" in message) == bool(successes)
  message = check(robot=few, use_failures=False)
  assert counts in message or (successes and not message)


def test_labels_that_teach_nothing(check, robot):
  alone = robot.select(robot.task == "close_drawer")
  message = check(robot=alone, human=None, instructions=["closing drawer"])
  assert message.startswith("one class only")
  labels = [*INSTRUCTIONS, "opening drawer"]
  message = check(instructions=labels, num_trained=3)
  assert "'opening drawer' is listed twice" in message
  assert "no clips" in check(robot=robot.select([]))


@pytest.mark.parametrize(
  "part, fields, message",
  [
    ("robot", {"instruction": " ", "template": ""}, "its instruction is empty"),
    (
      "robot",
      {"instruction": "closing cup"},
      "instruction 'closing cup' is not its template 'Opening something'",
    ),
    (
      "robot",
      {"instruction": "shutting it", "template": "", "task": "close_drawer"},
      "task 'close_drawer' has the instruction 'shutting it' here and "
      "'closing drawer' in robot-00000-of-00002.tfrecord, record 0",
    ),
    (
      "robot",
      {"frames": None},
      "its pictures are 8x8, those of robot-00000-of-00002.tfrecord, "
      "record 0 are 16x16",
    ),
    ("human", {"success": False}, "a human clip marked as a failure"),
    ("human", {"instruction": "opening box"}, "'opening box' is not one of"),
  ],
)
def test_one_bad_clip_is_named(
  check, make_clip, store, tmp_path, part, fields, message
):
  clips = [make_clip(i, success=True) for i in range(10)]
  if part == "human":
    fields = {"task": "", **fields}
  if "frames" in fields:
    fields = {"frames": clips[7].frames[:, :8, :8]}
  clips[7] = make_clip(7, **fields)
  found = check(**{part: store(tmp_path, clips, part)})
  file = tmp_path / f"{part}-00001-of-00002.tfrecord"
  assert f"{file}, record 2: " in found
  assert message in found
