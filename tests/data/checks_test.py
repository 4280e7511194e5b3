"""Planted faults: each is one clear line."""

import pytest

from data import checks

INSTRUCTIONS = ["closing drawer", "opening drawer", "moving part of faucet"]


@pytest.fixture
def check(robot, human):
  def run(robot=robot, human=human, instructions=INSTRUCTIONS, **changes):
    arguments = {"num_trained": len(instructions)} | changes
    checks.check_data(robot, human, instructions=instructions, **arguments)

  return run


def _message(check, **changes):
  with pytest.raises(ValueError) as caught:
    check(**changes)
  assert "\n" not in str(caught.value)
  return str(caught.value)


def test_good_data_passes(check):
  check()
  check(human=None)


@pytest.mark.parametrize("successes, failures", [(4, 0), (0, 4), (0, 0)])
def test_a_task_without_clips_of_an_outcome(check, robot, successes, failures):
  kept = (robot.success & (successes > 0)) | (~robot.success & (failures > 0))
  few = robot.select(kept | (robot.task != "open_drawer"))
  message = _message(check, robot=few)
  counts = f"{successes} successes and {failures} failures"
  assert f"'opening drawer' has {counts}" in message
  if successes:
    assert "--config.loss.weights.fvlc=0" in message
    check(robot=few, use_failures=False)
  else:
    assert counts in _message(check, robot=few, use_failures=False)


def test_labels_that_teach_nothing(check, robot):
  alone = robot.select(robot.task == "close_drawer")
  labels = ["closing drawer"]
  message = _message(check, robot=alone, human=None, instructions=labels)
  assert message.startswith("one class only")
  labels = [*INSTRUCTIONS, "opening drawer"]
  message = _message(check, instructions=labels, num_trained=3)
  assert "'opening drawer' is listed twice" in message
  assert "no clips" in _message(check, robot=robot.select([]))


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"instruction": " ", "template": ""}, "its instruction is empty"),
    (
      {"instruction": "closing cup"},
      "instruction 'closing cup' is not its template 'Opening something'",
    ),
    (
      {"instruction": "shutting it", "template": "", "task": "close_drawer"},
      "task 'close_drawer' has the instruction 'shutting it' here and "
      "'closing drawer' in robot-00000-of-00002.tfrecord, record 0",
    ),
    (
      "small",
      "its pictures are 8x8, those of robot-00000-of-00002.tfrecord, "
      "record 0 are 16x16",
    ),
  ],
)
def test_one_bad_clip_is_named(
  check, make_clip, store, tmp_path, fields, message
):
  clips = [make_clip(i) for i in range(10)]
  if fields == "small":
    fields = {"frames": clips[7].frames[:, :8, :8]}
  clips[7] = make_clip(7, **fields)
  found = _message(check, robot=store(tmp_path, clips))
  assert f"{tmp_path / 'robot-00001-of-00002.tfrecord'}, record 2: " in found
  assert message in found


def test_human_failure_and_unknown_instruction(
  check, make_clip, store, tmp_path
):
  human = store(tmp_path / "a", [make_clip(3, task="")], "human")
  message = _message(check, human=human)
  assert "record 0: a human clip marked as a failure" in message
  strange = make_clip(
    0, task="", instruction="closing box", template="Closing something"
  )
  human = store(tmp_path / "b", [strange], "human")
  assert "'closing box' is not one of" in _message(check, human=human)
