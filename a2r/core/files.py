"""Files written whole or not at all, folders held by one process, digests."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import filelock

from a2r.core import checks, digests

LOCK_FILE = ".lock"
# A disk that is full, a user's share of one, a limit on a file's size.
_FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))


class DiskFullError(OSError):
  """There was no room for a file; names it."""


@contextlib.contextmanager
def writing(path: pathlib.Path) -> Iterator[None]:
  """Says that `path` was written when its disk is full.

  Raises:
    DiskFullError: in place of what Python or a library said of it.
  """
  try:
    yield
  except DiskFullError:  # Of a file that is written on the way.
    raise
  except Exception as error:
    reason = why_full(error)
    if reason is None:
      raise
    raise DiskFullError(
      f"{path} cannot be written: {reason.lower()}; make room on the disk of "
      f"{path.parent} and run the same command, which goes on from there"
    ) from error


def why_full(error: Exception) -> str | None:
  """Returns what an error says if it is of a full disk, else None.

  Libraries have classes of their own for it, but the system's words.
  """
  return next((reason for reason in _FULL if reason in str(error)), None)


@contextlib.contextmanager
def atomic_write(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a partial file's path that replaces `path` if all goes well.

  The name is of this process alone, so several may write one file. It ends in
  `.partial`: name the format to writers that guess it by the suffix. What a
  killed process leaves behind is never read. The folder must exist.

  Raises:
    DiskFullError: there is no room for it.
  """
  partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
  try:
    with writing(path):
      yield partial
      with open(partial, "rb") as stream:
        os.fsync(stream.fileno())
      os.replace(partial, path)
  finally:
    partial.unlink(missing_ok=True)


def write_bytes(path: pathlib.Path, content: bytes):
  """Writes a file, all or nothing."""
  with atomic_write(path) as partial:
    partial.write_bytes(content)


@contextlib.contextmanager
def recorded_write(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """As `atomic_write`, with the file's digest on its folder's record."""
  with atomic_write(path) as partial:
    yield partial
    known = digests.read(path.parent) or {}
    both = [file for file in (partial, path) if file.exists()]
    known[path.name] = list(dict.fromkeys(map(digests.crc32, both)))
    write_text(path.parent / digests.FILE, digests.to_json(known))


def record(folder: pathlib.Path):
  """Records the files of a folder and of those in it."""
  write_text(folder / digests.FILE, digests.make(folder))


def write_text(path: pathlib.Path, text: str):
  """Writes a text file in UTF-8, all or nothing."""
  write_bytes(path, text.encode())


def write_json(path: pathlib.Path, value: Any, *, recorded: bool = False):
  """Writes plain values as a JSON file, all or nothing.

  Args:
    path: of the file.
    value: what it is to hold.
    recorded: whether its digest goes on its folder's record.
  """
  text = json.dumps(value, indent=2) + "\n"
  with (recorded_write if recorded else atomic_write)(path) as partial:
    partial.write_text(text, "utf-8")


def read_json(path: pathlib.Path) -> Any:
  """Returns what a JSON file holds, None where there is none.

  Raises:
    ValueError: the file is broken, or not as its folder's record has it.
  """
  try:
    content = path.read_bytes() if path.exists() else b"null"
    value = checks.parse_json(content, path)
  except ValueError as error:
    raise ValueError(f"{path} is broken ({error}): delete it") from error
  digests.check(path)
  return value


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, wait: bool = False) -> Iterator[None]:
  """Makes a folder and holds it, so that no second process writes there.

  The lock ends with the process at the latest.

  Raises:
    ValueError: another process holds the folder, unless `wait` waits for it.
  """
  folder.mkdir(parents=True, exist_ok=True)
  lock = filelock.FileLock(folder / LOCK_FILE, timeout=-1 if wait else 0)
  try:
    lock.acquire()
  except filelock.Timeout:
    raise ValueError(
      f"another process is writing in {folder}; wait for it to end, or choose "
      "another folder (--workdir)"
    ) from None
  try:
    yield
  finally:
    lock.release()


def digest(*parts: bytes | str | pathlib.Path) -> str:
  """Returns the SHA-256 of the parts one after the other, in hexadecimal.

  Parts are bytes, text (as UTF-8), or paths of files (their bytes).
  """
  state = hashlib.sha256()
  for part in parts:
    if isinstance(part, pathlib.Path):
      with open(part, "rb") as stream:
        while block := stream.read(1 << 20):
          state.update(block)
    else:
      state.update(part.encode() if isinstance(part, str) else part)
  return state.hexdigest()
