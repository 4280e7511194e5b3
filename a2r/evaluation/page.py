"""One HTML page of a run: tables, pictures and curves, in a single file."""

import base64
import html
import json
import pathlib

from a2r.core import writer
from a2r.evaluation import figures, report

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 68rem; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; }
p.note { opacity: .75; margin: .2rem 0 1rem; }
table { border-collapse: collapse; margin: .4rem 0 1rem; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line);
  text-align: left; font-variant-numeric: tabular-nums; }
td.number, th.number { text-align: right; }
img { max-width: 100%; background: white; border-radius: 6px; }
pre { background: var(--soft); padding: 1rem; overflow-x: auto; }
.wide { overflow-x: auto; }
"""


def render(workdir: str | pathlib.Path) -> str:
  """The page of a run as HTML that needs no other file.

  Args:
    workdir: the run folder; what it does not hold yet is left out.

  Raises:
    FileNotFoundError: the folder has neither a report nor metrics.
  """
  workdir = pathlib.Path(workdir)
  found = report.read(workdir)
  rows = writer.read(workdir)
  if found is None and not rows:
    raise FileNotFoundError(
      f"no run to report: {workdir} has neither {report.JSON_FILE} nor "
      f"{writer.FILE}"
    )
  name = html.escape(workdir.resolve().name)
  body = [f"<h1>{name}</h1>"]
  if found:
    result, record = found
    body += [_headline(record), "<h2>Results</h2>"]
    body.append(f"<p>{html.escape(report.form_line(result))}.</p>")
    body += [f"<p>Note: {html.escape(note)}</p>" for note in result.notes]
    body += [
      f'<div class="wide">{table.html()}</div>'
      for table in report.all_tables(result)
    ]
  else:
    body.append('<p class="note">The run has not been evaluated yet.</p>')
  picture = workdir / report.PNG_FILE
  if picture.is_file():
    body += ["<h2>Reward over time</h2>", _note(_PICTURE_NOTE)]
    body.append(_image("png", picture.read_bytes(), "Filmstrips and rewards"))
  if curves := figures.training_curves(rows):
    body.append("<h2>Training</h2>")
    body.append(_image("svg+xml", curves, "Metrics over steps"))
  if found:
    body += ["<h2>What made it</h2>", _details(record)]
  return (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<title>{name}</title><style>{_STYLE}</style></head>\n<body>\n"
    + "\n".join(body)
    + "\n</body></html>\n"
  )


_PICTURE_NOTE = (
  "Each point is the reward of the clip up to the frame above it, that frame "
  "held to the end. Shown are the clips whose reward is the median of their "
  "kind, not the best ones."
)


def _headline(record: dict) -> str:
  machine = record["machine"]
  parts = [
    f"seed {record['seed']}",
    record["date"],
    f"{machine['num_devices']} x {machine['device']}",
    f"jax {record['versions'].get('jax', '?')}",
  ]
  if record["commit"]:
    parts.append(f"commit {record['commit']}")
  return _note(" · ".join(parts))


def _details(record: dict) -> str:
  shown = {key: record[key] for key in ("backbone", "versions", "machine")}
  config = html.escape(json.dumps(record["config"], indent=2))
  return (
    f"<pre>{html.escape(json.dumps(shown, indent=2))}</pre>"
    f"<details><summary>Config</summary><pre>{config}</pre></details>"
  )


def _image(kind: str, data: bytes, alternative: str) -> str:
  encoded = base64.b64encode(data).decode()
  return f'<img alt="{alternative}" src="data:image/{kind};base64,{encoded}">'


def _note(text: str) -> str:
  return f'<p class="note">{html.escape(text)}</p>'
