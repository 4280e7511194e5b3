import numpy as np
import pytest

from a2r.runs import weights


@pytest.mark.slow
def test_a_smoke_run_makes_a_backbone_that_loads(launch, tmp_path):
  config = "--config=configs/pretrain.py:smoke"
  assert launch("pretrain", config, f"--workdir={tmp_path}").code == 0
  params, tokenizer, card = weights.load_backbone(
    tmp_path / "small_backbone.safetensors"
  )
  assert card["step"] == 4
  assert 0 <= card["held_out"]["top1"] <= 1
  assert tokenizer.vocab_size > 100
  assert np.isfinite(params["text_proj"]["kernel"]).all()


def test_the_config_is_asked_for(launch):
  done = launch("pretrain")
  assert done.code == 2
  assert "--config=configs/pretrain.py" in done.err
