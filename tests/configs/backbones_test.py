"""Tests of the sizes of the backbone."""

import dataclasses

import pytest

from a2r.models.singularity import config as config_lib
from configs import envgen, singularity_ssv2


@pytest.mark.parametrize("module", [envgen, singularity_ssv2])
def test_paper_size_is_the_published_model_but_for_its_arithmetic(module):
  size = "paper" if module is envgen else "template"
  settings = module.get_config(size).model.backbone
  published = config_lib.Config(dtype="bfloat16")
  assert config_lib.Config(**settings) == published
  fields = {field.name for field in dataclasses.fields(published)}
  assert set(settings) <= fields
  # Nothing of the small size is left in it.
  assert not [name for name in settings if name.startswith("stem_")]
