"""Files of weights that are cut off, damaged, or none at all."""

import gzip
import pathlib
import pickle
import resource
import struct
import zipfile

import pytest

from a2r.core import torch_file

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def _tar_head():
  return b"a.pth".ljust(257, b"\0") + b"ustar\0" + bytes(249)


@pytest.mark.parametrize(
  "data, message",
  [
    (b"", "is empty"),
    (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    (b"\n<!DOCTYPE html><html>", "web page"),
    (gzip.compress(b"weights", mtime=0), "unpack it"),
    (_tar_head(), "unpack it"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "before 1.6"),
    (b"PK\x03\x04 and no more", "is damaged"),
    (b"words", "no weights file"),
    (struct.pack("<Q", 9) + b"{damaged}", "is damaged"),
  ],
)
def test_other_files_are_named(tmp_path, data, message):
  path = tmp_path / "x.pth"
  path.write_bytes(data)
  with pytest.raises(ValueError, match=message) as error:
    torch_file.load(path)
  assert "x.pth" in str(error.value)
  assert "\n" not in str(error.value)


def test_cut_off_and_foreign_archives(tmp_path):
  golden = (GOLDEN / "singularity_tiny.pth").read_bytes()
  path = tmp_path / "x.pth"
  path.write_bytes(golden[: len(golden) // 2])
  with pytest.raises(ValueError, match="is damaged"):
    torch_file.load(path)
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("readme.txt", "no weights")
  with pytest.raises(ValueError, match="without a data.pkl"):
    torch_file.load(path)
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("archive/data.pkl", pickle.dumps([1], protocol=2))
  with pytest.raises(ValueError, match="holds a list"):
    torch_file.load(path)
  with pytest.raises(ValueError, match="is a folder"):
    torch_file.load(tmp_path)
  with pytest.raises(FileNotFoundError):
    torch_file.load(tmp_path / "none.pth")


@pytest.mark.parametrize(
  "code, message",
  [
    # Object 2**24 of those to come back to.
    (b"N" + pickle.LONG_BINPUT + struct.pack("<I", 2**24) + b".", "a NoneType"),
    (pickle.BYTEARRAY8 + struct.pack("<Q", 2**28) + b".", "is damaged"),
    (pickle.BINBYTES8 + struct.pack("<Q", 2**40) + b".", "is damaged"),
  ],
)
def test_a_damaged_pickle_takes_no_memory(tmp_path, code, message):
  path = tmp_path / "x.pth"
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("archive/data.pkl", pickle.PROTO + b"\x02" + code)
  before = _peak()
  with pytest.raises(ValueError, match=message):
    torch_file.load(path)
  assert _peak() - before < 2**26


def _peak():
  """The most memory the process ever held, in bytes."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
