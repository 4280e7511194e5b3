import subprocess
import sys

import numpy as np
import pytest

from a2r.runs import weights


@pytest.mark.slow
def test_a_smoke_run_makes_a_backbone_that_loads(tmp_path):
  command = [sys.executable, "-m", "launch.pretrain"]
  command += ["--config=configs/pretrain.py:smoke", f"--workdir={tmp_path}"]
  subprocess.run(command, check=True, timeout=600)
  params, tokenizer, card = weights.load_backbone(
    tmp_path / "small_backbone.safetensors"
  )
  assert card["step"] == 4
  assert 0 <= card["held_out"]["top1"] <= 1
  assert tokenizer.vocab_size > 100
  assert np.isfinite(params["text_proj"]["kernel"]).all()


def test_the_config_is_asked_for():
  command = [sys.executable, "-m", "launch.pretrain"]
  done = subprocess.run(command, capture_output=True, text=True)
  assert done.returncode == 2
  assert "--config=configs/pretrain.py" in done.stderr
