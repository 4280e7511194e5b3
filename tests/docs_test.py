"""The pages of docs hold together with the tree that they tell of."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def _anchors(path):
  """What a page's headings are called in links, as GitHub makes them."""
  text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)
  heads = re.findall(r"^#+ (.*)$", text, re.M)
  return {
    re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads
  }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
  for target, anchor in _LINK.findall(page.read_text("utf-8")):
    if "://" in target:
      continue
    path = (page.parent / target).resolve() if target else page
    assert path.exists(), f"{page.name}: no {target}"
    if anchor:
      assert anchor in _anchors(path), f"{page.name}: no {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_programs_compile(page):
  text = page.read_text("utf-8")
  for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.S)):
    compile(code, f"{page.name}, program {number}", "exec")


def test_flags_of_planning_are_there():
  text = (ROOT / "docs" / "planning.md").read_text("utf-8")
  # Not the settings, which are named --config.x.y=.
  named = set(re.findall(r"--([a-z_]+)(?=[ =`])", text)) - {"config"}
  defined = set()
  for path in (ROOT / "launch").glob("*.py"):
    code = path.read_text("utf-8")
    defined |= set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', code))
    # Those of a dataclass's fields: "field": ("flag", "its help").
    defined |= set(re.findall(r'"\w+": \(\s*"(\w+)",', code))
  assert not named - defined
