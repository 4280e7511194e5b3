"""Every number of every config has a range, and lies in it."""

import math

import pytest

from configs import envgen, fitvid, pretrain, ranges, singularity_ssv2, taskgen
from tests import mistakes

SIZES = {
  envgen: ("small", "paper", "smoke"),
  taskgen: [f"{c},{s}" for c in taskgen.COLUMNS for s in taskgen.SIZES],
  fitvid: ("small", "full", "smoke"),
  pretrain: ("small", "smoke"),
  singularity_ssv2: ("template", "label", "smoke"),
}


def test_every_number_has_a_range_and_every_range_a_number():
  keys = set()
  for module, sizes in SIZES.items():
    for size in sizes:
      config = module.get_config(size)
      ranges.check(config)
      keys |= dict(ranges.numbers(config.to_dict())).keys()
  assert keys == ranges.RANGES.keys()


@pytest.mark.parametrize("module", [envgen, fitvid, pretrain, singularity_ssv2])
def test_a_number_out_of_its_range_is_named(module):
  for key, value in dict(ranges.numbers(module.get_config().to_dict())).items():
    for wrong in (ranges.RANGES[key].low - 1, math.nan, math.inf):
      config = module.get_config()
      with config.ignore_type():
        change = (wrong,) if key in ("model.filters",) else wrong
        config.update_from_flattened_dict({key: change})
      mistakes.check(
        lambda config=config: ranges.check(config), ValueError, f"{key}={wrong}"
      )
    assert value in ranges.RANGES[key]


def test_what_a_config_lacks_is_listed():
  like, config = envgen.get_config(), envgen.get_config("paper")
  assert not ranges.missing(config, like)
  del config.eval, config.train["color"], config.dvd
  assert ranges.missing(config, like) == ["eval", "train.color"]
  config.method = "dvd"
  assert "dvd" in ranges.missing(config, like)


def test_all_faults_come_in_one_line_with_what_may_be():
  config = envgen.get_config()
  config.optim.update(learning_rate=0.0, warmup_steps=-1, floor=1.5)
  config.optim.clip_norm = -1.0
  config.eval.successes = -1
  config.train.color = 1.0
  names = (
    "optim.learning_rate=0.0 above optim.warmup_steps=-1 optim.floor=1.5 [0,1]"
    " optim.clip_norm=-1.0 eval.successes=-1 train.color=1.0 [0,1)"
  )
  mistakes.check(lambda: ranges.check(config), ValueError, names)
  with config.ignore_type():
    config.optim.update(clip_norm=None, learning_rate=1, warmup_steps=0)
  config.optim.floor, config.eval.successes, config.train.color = 1.0, 0, 0.5
  ranges.check(config)
