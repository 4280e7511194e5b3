"""A digest of the code that makes a data set, so that stale data is not used.

Comments, docstrings and layout do not count; any other change does, in the
module itself, in a module of the project that it imports, or in a file of
a2r/assets or beside the module that one of them names. The record of digests
in a2r/assets does not: it is of other files too.
"""

import ast
import hashlib
import pathlib

from a2r.core import digests

_PACKAGE = "a2r"


def source_digest(module: str) -> str:
  """Hex digest of a module of the project and of all that it takes from it.

  Args:
    module: dotted name, such as 'a2r.sim.humans.human_clips'.
  """
  root = pathlib.Path(__file__).resolve().parents[3]
  trees, waiting = {}, [module]
  while waiting:
    name = waiting.pop()
    file = root / (name.replace(".", "/") + ".py")
    is_ours = name.split(".")[0] == _PACKAGE
    if name in trees or not is_ours or not file.is_file():
      continue
    trees[name] = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(trees[name]):
      if isinstance(node, ast.Import):
        waiting += [alias.name for alias in node.names]
      elif isinstance(node, ast.ImportFrom) and node.module:
        waiting.append(node.module)
        waiting += [f"{node.module}.{alias.name}" for alias in node.names]
  digest = hashlib.sha256()
  for name, tree in sorted(trees.items()):
    words = _strip_docstrings(tree) - {digests.FILE}
    digest.update(name.encode() + b"\0" + ast.dump(tree).encode() + b"\0")
    for folder in (
      root / _PACKAGE / "assets",
      (root / name.replace(".", "/")).parent,
    ):
      for file in sorted(folder.glob("*.*")):
        if file.name in words and file.is_file():
          digest.update(file.name.encode() + b"\0")
          digest.update(hashlib.sha256(file.read_bytes()).digest())
  return digest.hexdigest()[:16]


def _strip_docstrings(tree: ast.Module) -> set:
  """Takes the docstrings out of a tree; returns the other constants in it."""
  for node in ast.walk(tree):
    match getattr(node, "body", None):
      case [ast.Expr(value=ast.Constant()), *rest]:
        node.body = rest
  return {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
