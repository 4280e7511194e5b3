"""Published PyTorch weights to our parameters and back."""

from a2r.models.convert.huggingface import beit, bert
from a2r.models.convert.sizes import fit
from a2r.models.convert.state_dict import (
  Conversion,
  Options,
  from_state_dict,
  singularity,
  to_state_dict,
)

__all__ = [
  "Conversion",
  "Options",
  "beit",
  "bert",
  "fit",
  "from_state_dict",
  "singularity",
  "to_state_dict",
]
