"""Stores the clips of Something-Something V2 as TFRecords, ready for training.

  python -m launch.ssv2 --from=/data/ssv2
  python -m launch.ssv2 --from=/data/ssv2 --templates=all
  python -m launch.ssv2 --from=/data/ssv2 --templates="Closing something" \
    --per_template=100 --num_frames=8 --image_size=64

--from is the unpacked download: the folder 20bn-something-something-v2 of webm
files and the annotations, in the first release's layout or today's. --templates
takes a named list of configs/tasks.py (experiments, plus3, plus6, plus9, all)
or templates, one flag each. Pictures are stored square, the aspect not kept.

A run that was stopped or killed goes on with the same command. Videos that
cannot be read are listed in bad_videos.csv beside the shards; more than
--max_bad_share of them end the program, and what was made is kept.

launch.train and launch.finetune find the same clips with
--config.data.human.source=ssv2 --config.data.human.path=/data/ssv2, equal
templates and sizes, or make them: always with --caption=label and --seed=0,
whatever their seed; captions from templates they take from a column of their
own. --caption=template and another --seed are for users of tensorflow-datasets
alone, which reads them all: tfds.builder_from_directory(folder).
"""

from absl import flags
from etils import epy

from a2r.core import checks
from configs import tasks
from launch import app

with epy.lazy_imports():
  from a2r.runs.sources import ssv2
  from data.ssv2 import builder, store

_FROM = flags.DEFINE_string("from", None, "Folder of the download.")
_TO = flags.DEFINE_string("to", "datasets", "Folder of the data sets.")
_TEMPLATES = flags.DEFINE_multi_string(
  "templates", ["experiments"], "A named list, or templates, one flag each."
)
_CAPTION = flags.DEFINE_string(
  "caption",
  "label",
  "The instruction: label (the template filled) or template.",
)
_SPLITS = flags.DEFINE_list(
  "split", ["train", "validation"], "Of train, validation and test."
)
_PER_TEMPLATE = flags.DEFINE_integer(
  "per_template", 0, "Videos per template and split; 0 takes all.", 0
)
_NUM_FRAMES = flags.DEFINE_integer("num_frames", 16, "Frames stored of a clip.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 224, "Pixels, either side.")
_SEED = flags.DEFINE_integer(
  "seed", 0, "Of the choice by --per_template; runs look for 0.", 0
)
_WORKERS = flags.DEFINE_integer(
  "workers", 0, "Processes; 0: one per core.", 0, 1024
)
_MAX_BAD_SHARE = flags.DEFINE_float(
  "max_bad_share", 0.01, "Share of the videos that may be unreadable.", 0, 1
)


def main():
  """Reads the flags and stores."""
  templates = []
  for name in _TEMPLATES.value:
    named = name in tasks.TEMPLATES
    templates += tasks.find(name) if named else [name]
  prepared = builder.SomethingSomethingV2(
    manual_dir=app.required(_FROM, "/data/ssv2"),
    data_dir=checks.folder(_TO.value),
    chosen=store.Selection(
      templates=tuple(templates),
      per_template=_PER_TEMPLATE.value,
      caption=_CAPTION.value,
      num_frames=_NUM_FRAMES.value,
      image_size=_IMAGE_SIZE.value,
      seed=_SEED.value,
    ),
  )
  splits = dict.fromkeys(_SPLITS.value)
  for split in splits:
    checks.one_of("--split", split, prepared.layout.annotations)
    prepared.videos(split)  # Read, so that nothing is stored if they are not.
  stored = {
    split: prepared.prepare_split(
      split, num_workers=_WORKERS.value, max_bad_share=_MAX_BAD_SHARE.value
    )
    for split in splits
  }
  print(ssv2.report(prepared, stored))


if __name__ == "__main__":
  app.run(main)
