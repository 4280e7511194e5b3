#!/usr/bin/env bash
# One would guess: XML means the same on one line as on many, so a URDF as Python's ElementTree writes it, without any line break, can be loaded.
# What happens: lines of more than 8,192 characters are cut there; where that is within a tag's words, "Cannot load URDF file" (pybullet 3.2.7).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pybullet==3.2.7 numpy==2.4.6
cat > "$folder/load.py" <<'PY'
"""Chains of links, each written on one line and indented."""

import pathlib
import sys
from xml.etree import ElementTree

import pybullet


def chain(num):
  """A robot of `num` joints."""
  robot = ElementTree.Element("robot", name="chain")
  for row in range(num + 1):
    link = ElementTree.SubElement(robot, "link", name=f"link{row:03d}")
    inertial = ElementTree.SubElement(link, "inertial")
    ElementTree.SubElement(inertial, "mass", value="1")
    moments = {name: "1" for name in ("ixx", "iyy", "izz")}
    moments |= {name: "0" for name in ("ixy", "ixz", "iyz")}
    ElementTree.SubElement(inertial, "inertia", moments)
  for row in range(num):
    joint = ElementTree.SubElement(
      robot, "joint", name=f"joint{row:03d}", type="fixed"
    )
    ElementTree.SubElement(joint, "parent", link=f"link{row:03d}")
    ElementTree.SubElement(joint, "child", link=f"link{row + 1:03d}")
  return robot


def load(robot, file):
  """Characters of the longest line, and how many joints are loaded."""
  ElementTree.ElementTree(robot).write(file)
  longest = max(map(len, file.read_text().splitlines()))
  try:
    return longest, pybullet.getNumJoints(pybullet.loadURDF(str(file)))
  except pybullet.error as error:
    return longest, str(error)


pybullet.connect(pybullet.DIRECT)
pybullet.setPhysicsEngineParameter(enableFileCaching=0)
print("pybullet API", pybullet.getAPIVersion())
file = pathlib.Path(sys.argv[1], "chain.urdf")
whole, cut = [], []
for num in range(20, 60):
  robot = chain(num)
  length, joints = load(robot, file)
  (whole if joints == num else cut).append(length)
  ElementTree.indent(robot)
  assert load(robot, file)[1] == num, "indented it is not loaded either"
print("indented, all 40 are loaded")
print(f"on one line, {len(cut)} are not, of {min(cut)} characters and more")
print("the last error:", joints if isinstance(joints, str) else "none")
raise SystemExit(not (min(cut) > 8192 and any(x < 8192 for x in whole)))
PY
"$folder/venv/bin/python" "$folder/load.py" "$folder"
