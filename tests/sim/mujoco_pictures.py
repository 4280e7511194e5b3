"""MuJoCo's own pictures, from a process apart.

The graphics library is chosen before mujoco is imported, so `mujoco.Renderer`
runs in a process of its own.
"""

import os
import pathlib
import pickle
import subprocess
import sys

import mujoco
import numpy as np
import pytest

KINDS = ("image", "depth", "segment")
_PROGRAM = """
import pickle
import sys
import mujoco
import numpy as np
jobs, out = sys.argv[1:]
pictures = {}
with open(jobs, 'rb') as stream:
  jobs = pickle.load(stream)
for name, (model, states, (height, width)) in jobs.items():
  model = mujoco.MjModel.from_binary_path(model)
  model.vis.quality.shadowsize = 1024  # Not 4096: pictures are small.
  data = mujoco.MjData(model)
  rows = {kind: [] for kind in ('image', 'depth', 'segment')}
  with mujoco.Renderer(model, height, width) as renderer:
    for state in states:
      for field, value in state.items():
        getattr(data, field)[:] = value
      mujoco.mj_forward(model, data)
      renderer.update_scene(data, camera='camera')
      rows['image'].append(renderer.render().copy())
      renderer.enable_depth_rendering()
      rows['depth'].append(renderer.render().copy())
      renderer.disable_depth_rendering()
      renderer.enable_segmentation_rendering()
      rows['segment'].append(renderer.render()[..., 0].copy())
      renderer.disable_segmentation_rendering()
  for kind, row in rows.items():
    pictures[f'{name} {kind}'] = np.stack(row)
np.savez(out, **pictures)
"""


def draw(
  folder: pathlib.Path,
  models: dict[str, mujoco.MjModel],
  states: dict[str, list[dict[str, np.ndarray]]],
  size: tuple[int, int],
) -> dict[str, np.ndarray]:
  """Draws states by `mujoco.Renderer`; skips the test without graphics.

  Groups 0 to 2 of geoms are seen, as it does by itself.

  Args:
    folder: for files between the processes.
    models: by name; each has a camera called 'camera'.
    states: by the same names: of each, fields of `mujoco.MjData` to set.
    size: height and width in pixels.

  Returns:
    'name kind' -> `[N, H, W, ...]`, by the kinds of `KINDS`.
  """
  jobs = {}
  for name, model in models.items():
    file = os.fspath(folder / f"{len(jobs)}.mjb")
    mujoco.mj_saveModel(model, file)
    jobs[name] = file, states[name], size
  inputs, out = folder / "jobs.pkl", folder / "out.npz"
  inputs.write_bytes(pickle.dumps(jobs))
  environ = os.environ | {
    "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl"),
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
  }
  command = map(str, [sys.executable, "-c", _PROGRAM, inputs, out])
  done = subprocess.run(
    list(command), env=environ, capture_output=True, text=True
  )
  if not out.exists():
    lines = done.stderr.strip().splitlines() or ["no message"]
    pytest.skip(f"mujoco.Renderer has no graphics library here: {lines[-1]}")
  return dict(np.load(out))
