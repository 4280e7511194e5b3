"""The tree's rules: imports run downward, and each framework has its place."""

import ast
import functools
import pathlib
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
CODE = ("a2r", "configs", "data", "launch")

# Lowest first; a package imports its own and lower ones only.
RANKS = {
  "a2r.core": 0,
  "a2r.assets": 0,
  "a2r.losses": 1,
  "a2r.clustering": 1,
  "a2r.models": 2,
  "a2r.sim": 2,
  "a2r.planning": 3,
  "a2r.reward": 4,
  "a2r.wrappers": 5,
  "a2r.learners": 5,
  "a2r.evaluation": 6,
  "data": 7,
  "configs": 7,
  "a2r.runs": 8,
  "launch": 9,
}
# What these may import of ours besides themselves.
ONLY = {"data": {"a2r.core"}, "configs": {"a2r.core", "a2r.sim"}}
STRANGERS = [("a2r.models", "a2r.sim"), ("a2r.losses", "a2r.clustering")]
WITHOUT_MUJOCO = (
  "a2r.core",
  "a2r.losses",
  "a2r.clustering",
  "a2r.models",
  "a2r.learners",
  "a2r.reward",
)

# Imports inside functions: heavy, and of no use to most who call.
OPTIONAL = {
  ("a2r.models.convert.files", "torch"),
  ("a2r.models.saved", "a2r.core.checkpoint"),
  ("a2r.models.pretrained", "a2r.core.checkpoint"),
  ("a2r.runs.players", "a2r.planning.video_model"),
}


@functools.cache
def modules():
  """Name -> (file, whether it is a package) of every module of the project."""
  found = {}
  for top in CODE:
    for path in sorted((ROOT / top).rglob("*.py")):
      parts = path.relative_to(ROOT).with_suffix("").parts
      package = parts[-1] == "__init__"
      found[".".join(parts[:-1] if package else parts)] = (path, package)
  return found


@functools.cache
def parse(name):
  """The syntax tree of a module."""
  path, _ = modules()[name]
  return ast.parse(path.read_text(encoding="utf-8"), str(path))


def walk(tree, *, into_functions):
  for node in ast.iter_child_nodes(tree):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    if isinstance(node, functions) and not into_functions:
      continue
    yield node
    yield from walk(node, into_functions=into_functions)


@functools.cache
def imports(name, into_functions=True):
  """Full names that a module imports, `from x import y` as x and x.y."""
  names = set()
  for node in walk(parse(name), into_functions=into_functions):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f"{name} has a relative import"
      names.add(node.module)
      names |= {f"{node.module}.{alias.name}" for alias in node.names}
  return frozenset(names)


def targets(name, into_functions=True):
  """Modules that a module imports: of ours, or roots of others' packages."""
  names = imports(name, into_functions)
  ours = {imported for imported in names if imported in modules()}
  # `from a import b` is an import of a.b alone where that is a module.
  parents = {imported.rpartition(".")[0] for imported in ours}
  others = {imported.partition(".")[0] for imported in names} - set(CODE)
  return ours - parents | others


def layer(name):
  """The package of `RANKS` that a full name belongs to, or None."""
  for package in RANKS:
    if name == package or name.startswith(package + "."):
      return package
  return None


def reached(name):
  """Everything that importing a module imports, by the code outside functions.

  Importing a.b.c runs the packages a and a.b first.
  """
  seen, todo = set(), [name]
  while todo:
    parts = todo.pop().split(".")
    for end in range(1, len(parts) + 1):
      prefix = ".".join(parts[:end])
      if prefix not in seen:
        seen.add(prefix)
        if prefix in modules():
          todo.extend(imports(prefix, into_functions=False))
  return seen


def in_layers(*layers):
  return sorted(name for name in modules() if layer(name) in layers)


def test_every_module_has_a_layer():
  homeless = {name for name in modules() if layer(name) is None}
  assert homeless == {"a2r"}


@pytest.mark.parametrize("package", RANKS)
def test_imports_run_downward(package):
  for name in in_layers(package):
    for imported in imports(name):
      other = layer(imported)
      if other in (None, package):
        continue
      assert RANKS[other] < RANKS[package], f"{name} imports {imported}"
      allowed = ONLY.get(package, {other})
      assert other in allowed, f"{name} imports {imported}"
      assert (package, other) not in STRANGERS, f"{name} imports {imported}"
      assert (other, package) not in STRANGERS, f"{name} imports {imported}"


def test_no_import_circle():
  visited, path = set(), []

  def visit(name):
    assert name not in path, f"{path[path.index(name) :]} import in a circle"
    if name in visited or name not in modules():
      return
    visited.add(name)
    path.append(name)
    for imported in targets(name):
      visit(imported)
    path.pop()

  for name in modules():
    visit(name)


def test_imports_stand_at_the_top():
  for name in modules():
    inside = targets(name) - targets(name, into_functions=False)
    inside -= {imported for importer, imported in OPTIONAL if importer == name}
    assert not inside, f"a function of {name} imports {inside}"


def test_only_data_imports_tensorflow():
  for name in modules():
    roots = {imported.partition(".")[0] for imported in imports(name)}
    heavy = roots & {"tensorflow", "tensorflow_datasets"}
    assert not heavy or layer(name) == "data", f"{name} imports {heavy}"


def test_models_and_learners_load_without_mujoco_and_tensorflow():
  for name in in_layers(*WITHOUT_MUJOCO):
    roots = {imported.partition(".")[0] for imported in reached(name)}
    heavy = roots & {"mujoco", "brax", "tensorflow", "data", "launch"}
    assert not heavy, f"importing {name} imports {heavy}"


def test_only_parallel_says_pmap():
  for name in modules():
    says = any(
      getattr(node, "attr", getattr(node, "id", None)) == "pmap"
      for node in ast.walk(parse(name))
    ) or any(imported.endswith(".pmap") for imported in imports(name))
    assert not says or name == "a2r.core.parallel", f"{name} says pmap"


def test_packages_hold_a_docstring_alone():
  # These offer names that are fixed.
  public = {"a2r.losses", "a2r.clustering", "a2r.sim", "a2r.models.convert"}
  public |= {"a2r.wrappers"}
  # Programs can be asked to stop while they import the rest.
  first = {"launch"}
  for name, (_, package) in modules().items():
    if package and name not in public | first:
      body = parse(name).body
      assert len(body) == 1, f"{name}/__init__.py is more than a docstring"
      assert isinstance(body[0], ast.Expr), f"{name} has no docstring"


def test_a_wheel_holds_what_the_code_reads():
  settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
  patterns = settings["tool"]["setuptools"]["package-data"]
  for path in (ROOT / "a2r").rglob("*"):
    if path.is_file() and path.suffix not in (".py", ".pyc"):
      package = ".".join(path.parent.relative_to(ROOT).parts)
      assert any(map(path.match, patterns.get(package, []))), path
