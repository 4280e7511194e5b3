"""A digest of the code that makes a data set, so that stale data is not used.

Comments, docstrings and layout do not count; any other change does, in the
module itself, in a module of the project that it imports, or in a file of
a2r/assets or beside the module that one of them names.
"""

import ast
import hashlib
import pathlib

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
    if name in trees or not file.is_file():
      continue
    trees[name] = ast.parse(file.read_text(encoding="utf-8"))
    waiting += _imports(trees[name])
  digest = hashlib.sha256()
  for name in sorted(trees):
    digest.update(name.encode() + b"\0" + _code(trees[name]).encode() + b"\0")
    folder = (root / name.replace(".", "/")).parent
    for file in _named(trees[name], root / _PACKAGE / "assets", folder):
      digest.update(file.name.encode() + b"\0")
      digest.update(hashlib.sha256(file.read_bytes()).digest())
  return digest.hexdigest()[:16]


def _imports(tree: ast.Module) -> list[str]:
  """Dotted names that may be modules of the project."""
  names = []
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      names += [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
      names.append(node.module)
      names += [f"{node.module}.{alias.name}" for alias in node.names]
  return [name for name in names if name.split(".")[0] == _PACKAGE]


def _named(tree: ast.Module, *folders: pathlib.Path) -> list[pathlib.Path]:
  """Files in the folders that a string in the code names."""
  words = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
  files = [file for folder in folders for file in sorted(folder.glob("*.*"))]
  return [file for file in files if file.name in words and file.is_file()]


def _code(tree: ast.Module) -> str:
  """The tree as text, without docstrings."""
  for node in ast.walk(tree):
    body = getattr(node, "body", None)
    if not isinstance(body, list) or not body:
      continue
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
      node.body = body[1:]
  return ast.dump(tree)
