"""Converts published PyTorch weights into a folder to start from, and back.

  python -m launch.convert --from=ckpt.pth --to=runs/singularity
  python -m launch.convert --beit=DIR --bert=DIR --to=runs/beit_bert
  python -m launch.convert --from=runs/singularity --to=model.safetensors

--from is a file of Singularity (https://github.com/jayleicn/singularity), as
published: .pth, or .safetensors with the same keys; or a folder: a conversion,
or a run. --beit and --bert are folders of Hugging Face: what they lack is drawn
anew. --to is a folder for --config.model.init=..., or a .safetensors or .pth
file with the published keys. PyTorch is needed only to write .pth, and nothing
that a file asks for is run.
"""

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r.models.convert import files
  from a2r.runs import conversion, run_folder

_FROM = flags.DEFINE_string("from", None, "A published file, or a folder.")
_TO = flags.DEFINE_string("to", None, "The folder or file to write.")
_BEIT = flags.DEFINE_string("beit", None, "Folder of a BEiT, Hugging Face's.")
_BERT = flags.DEFINE_string("bert", None, "Folder of a BERT, Hugging Face's.")
_VOCAB = flags.DEFINE_string(
  "vocab", None, "vocab.txt of the word table; BERT's own by default."
)
_MISSING = flags.DEFINE_string(
  "allow_missing", None, "Pattern of keys that may be missing: drawn anew."
)
_UNKNOWN = flags.DEFINE_string(
  "allow_unknown", None, "Pattern of keys that may be left over: left out."
)
_TEMPORAL = flags.DEFINE_bool(
  "temporal_feature",
  None,
  "Whether the contrastive feature sees the order of frames; the published "
  "one does not.",
)
_HEADS = flags.DEFINE_integer(
  "num_heads",
  None,
  "Attention heads; read off the weights by default.",
  1,
  10_000,
)
_MLM = flags.DEFINE_bool(
  "mlm", False, "Keep the masked-language head of pre-training."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of what is drawn anew.")


def main():
  """Reads the flags and converts."""
  target = checks.path(app.required(_TO))
  options = files.Options(
    temporal_feature=_TEMPORAL.value,
    num_heads=_HEADS.value,
    mlm=_MLM.value,
    allow_missing=_MISSING.value,
    allow_unknown=_UNKNOWN.value,
    seed=_SEED.value,
    vocab=_VOCAB.value and checks.path(_VOCAB.value),
  )
  conversion.check_target(target, options)
  both = _BEIT.value and _BERT.value
  if bool(_FROM.value) == bool(_BEIT.value or _BERT.value) or (
    not _FROM.value and not both
  ):
    raise ValueError("pass either --from, or both --beit and --bert")
  if both:
    paths = [checks.path(p.value) for p in (_BEIT, _BERT)]
    source = files.read_parts(*paths, options)
  else:
    path = checks.path(_FROM.value)
    source = conversion.read(path, options)
  print(files.describe(source))
  conversion.write(source, target, options, run_folder.command_line())
  print(f"Wrote {target}.")
  if conversion.is_folder(target):
    settings = [f"--config.model.init={target}"]
    settings += conversion.settings(source.config)
    print("Start from it: --config=configs/envgen.py:paper", *settings)


if __name__ == "__main__":
  app.run(main)
