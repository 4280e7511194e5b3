#!/usr/bin/env bash
# One would guess: in PyBullet a box rests at the same height on a table that is a box and on one that is a mesh of the same eight corners.
# What happens: on the box it rests on the surface, on the mesh one millimeter above it (pybullet 3.2.7).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pybullet==3.2.7 numpy==2.4.6
cat > "$folder/rest.py" <<'PY'
"""Where a cube of 5 cm comes to rest on two tables of the same size."""

import itertools

import pybullet

HALF = (0.3, 0.3, 0.1)


def rest(kind):
  """Height of the cube's lower face above the table's upper one, mm."""
  pybullet.resetSimulation()
  pybullet.setGravity(0, 0, -9.81)
  if kind == "box":
    table = pybullet.createCollisionShape(
      pybullet.GEOM_BOX, halfExtents=HALF
    )
  else:
    corners = itertools.product(*((-half, half) for half in HALF))
    table = pybullet.createCollisionShape(
      pybullet.GEOM_MESH, vertices=list(corners)
    )
  pybullet.createMultiBody(0, table, basePosition=(0, 0, -HALF[2]))
  cube = pybullet.createCollisionShape(
    pybullet.GEOM_BOX, halfExtents=(0.025,) * 3
  )
  cube = pybullet.createMultiBody(0.1, cube, basePosition=(0, 0, 0.03))
  for _ in range(960):  # Four seconds.
    pybullet.stepSimulation()
  position, _ = pybullet.getBasePositionAndOrientation(cube)
  return 1000 * (position[2] - 0.025)


pybullet.connect(pybullet.DIRECT)
print("pybullet API", pybullet.getAPIVersion())
heights = {kind: rest(kind) for kind in ("box", "mesh")}
for kind, height in heights.items():
  print(f"on a {kind}: {height:.2f} mm above it")
raise SystemExit(
  not (abs(heights["box"]) < 0.1 and 0.9 < heights["mesh"] < 1.1)
)
PY
"$folder/venv/bin/python" "$folder/rest.py"
