"""The page of a gallery: per source a table of environments and tasks.

One HTML file, its pictures beside it; no script, no network.
"""

import html
import pathlib
from collections.abc import Mapping, Sequence

from a2r.evaluation import gallery
from a2r.sim.tabletop import tasks

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 84rem; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin: 2.4rem 0 .2rem; }
p { max-width: 46rem; margin: .3rem 0 1rem; } .soft { opacity: .7; }
nav a { margin-right: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th { font-weight: 500; text-align: left; vertical-align: bottom;
  padding: 0 .6rem .5rem 0; }
th small { display: block; font-weight: 400; opacity: .7; max-width: 11rem;
  line-height: 1.3; }
tbody th { position: sticky; left: 0; vertical-align: middle;
  background: Canvas; }
td { padding: 0 .6rem .8rem 0; vertical-align: top; }
td img { display: block; border-radius: 6px; background: var(--soft); }
.mark { font-size: .8rem; } .mark::before { content: "\\25cf"; 
  margin-right: .35em; color: var(--mark); }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto;
  border-radius: 6px; }
"""
_ABOUT = {
  "expert": "Scripts that do the task.",
  "near_miss": "The expert's stroke spoiled: stopped short, passed beside or "
  "above, or a good stroke of another task.",
  "noise": "An expert's successful actions with noise on them.",
  "rl": "A policy trained by reinforcement learning and stopped early.",
  "random": "Exploration that knows of no task.",
  "explore": "Uniform random actions for a while, then rest.",
}


def render(
  cells: Sequence[gallery.Cell],
  settings: gallery.Settings,
  out: pathlib.Path,
  *,
  command: str,
  versions: Mapping[str, str],
) -> str:
  """The page as HTML.

  Args:
    cells: all of them made.
    settings: they were made with.
    out: the gallery's folder.
    command: the command line that makes the gallery.
    versions: package -> version.
  """
  rows = gallery.read_manifest(out)
  sources = list(dict.fromkeys(cell.source for cell in cells))
  links = " ".join(
    f'<a href="#{source}">{_words(source)}</a>' for source in sources
  )
  body = [
    "<h1>The simulated tabletop</h1>",
    '<p class="soft">Each clip is one episode of 60 control steps (0.75 s) '
    f"in {settings.num_frames} frames, slowed down to 10 frames per second. "
    "Success is read off the state. Pictures are mirrored, as in the published "
    "environment: the world's +x is on the left.</p>",
    f'<nav>{links} <a href="{gallery.SHEET}">contact sheet</a></nav>',
  ]
  for source in sources:
    chosen = [cell for cell in cells if cell.source == source]
    body.append(f'<h2 id="{source}">{_words(source).capitalize()}</h2>')
    body.append(f'<p class="soft">{html.escape(_ABOUT.get(source, ""))}</p>')
    body.append(_table(chosen, rows, settings))
  facts = [command, "", f"seed {settings.seed}, code {settings.code}"]
  facts.append(", ".join(f"{k} {v}" for k, v in versions.items()))
  body.append("<h2>How it was made</h2>")
  body.append(f"<pre>{html.escape(chr(10).join(facts))}</pre>")
  return (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<title>The simulated tabletop</title><style>{_STYLE}</style></head>\n"
    "<body>\n" + "\n".join(body) + "\n</body></html>\n"
  )


def _table(cells, rows, settings) -> str:
  """The clips of one source."""
  names = list(dict.fromkeys(cell.task for cell in cells))
  head = "".join(
    f"<th>{_words(name)}<small>“"
    f"{html.escape(tasks.get(name).instruction)}”</small></th>"
    for name in names
  )
  lines = {}
  for cell in cells:
    lines.setdefault(cell.environment, []).append(_clip(cell, rows, settings))
  body = "\n".join(
    f"<tr><th>{html.escape(name.split('/')[-1])}</th>{''.join(clips)}</tr>"
    for name, clips in lines.items()
  )
  return (
    f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead>\n'
    f"<tbody>\n{body}\n</tbody></table></div>"
  )


def _clip(cell, rows, settings) -> str:
  """One clip and its label."""
  row = rows[cell.name]
  label = "success" if row["success"] else "failure"
  size = settings.image_size
  name = f"{cell.environment}, {_words(cell.task)}, {_words(cell.source)}"
  return (
    f'<td><a href="{row["file"]}"><img src="{row["file"]}" loading="lazy"'
    f' width="{size}" height="{size}" alt="{html.escape(name)}: {label}"></a>'
    f'<span class="mark" style="--mark: {gallery.COLORS[row["success"]]}"'
    f' title="draw {row["draw"]} of seed {settings.seed}">{label}</span></td>'
  )


def _words(name: str) -> str:
  return html.escape(name.replace("_", " "))
