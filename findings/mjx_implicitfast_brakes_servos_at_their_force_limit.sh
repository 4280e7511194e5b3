#!/usr/bin/env bash
# One would guess: MJX's integrator implicitfast makes the step that C MuJoCo's makes, up to rounding.
# What happens: where a servo with damping is at its forcerange, C leaves its damping out of the implicit step and MJX 3.17.0 does not: here the body gets half of C's velocity.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mujoco==3.17.0 mujoco-mjx==3.17.0 jax==0.10.2 jaxlib==0.10.2
cat > "$folder/step.py" <<'PY'
"""One step of a mass on a slide, pulled by a servo below and at its limit."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import mjx

XML = """
<mujoco>
  <option integrator="implicitfast" timestep="0.0025" gravity="0 0 0"/>
  <worldbody>
    <body>
      <joint name="slide" type="slide" axis="1 0 0"/>
      <geom size="0.1" mass="1"/>
    </body>
  </worldbody>
  <actuator>
    <general joint="slide" biastype="affine" gainprm="20000"
      biasprm="0 -20000 -400" forcerange="-400 400"/>
  </actuator>
</mujoco>"""

model = mujoco.MjModel.from_xml_string(XML)
on_device = mjx.put_model(model, impl="jax")
print("mujoco", mujoco.__version__, "jax", jax.__version__)
ratios = []
for target in (0.001, 0.5):
  data = mujoco.MjData(model)
  data.ctrl[:] = target
  mujoco.mj_step(model, data)
  theirs = mjx.make_data(on_device).replace(ctrl=jnp.array([target]))
  velocity = np.asarray(jax.jit(mjx.step)(on_device, theirs).qvel)[0]
  print(
    f"target {target} m: force {data.actuator_force[0]:.0f} N, velocity after"
    f" a step: C {data.qvel[0]:.4f}, MJX {velocity:.4f} m/s"
  )
  ratios.append(velocity / data.qvel[0])
below, at = ratios
raise SystemExit(not (abs(below - 1) < 1e-3 and abs(at - 0.5) < 1e-3))
PY
"$folder/venv/bin/python" "$folder/step.py"
