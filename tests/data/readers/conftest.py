"""One way to read a data set of others."""

import pytest

from data import dataset, store
from data.readers import base


@pytest.fixture(scope="session")
def read():
  """Function of a reader, a path and options to stored clips and notes."""

  def run(reader, path, root, *, image_size=16, num_frames=3, **options):
    options = base.Options(num_frames=num_frames, **options)
    clips = reader.open_clips(path, options)
    folder = store.store_clips(clips, root, "robot", image_size=image_size)
    notes = [*clips.notes, *store.clip_notes(folder, clips)]
    return dataset.open_dataset(folder, "robot"), notes

  return run
