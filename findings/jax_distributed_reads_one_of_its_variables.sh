#!/usr/bin/env bash
# One would guess: jax.distributed.initialize() takes the coordinator, the number of processes and the index from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID alike.
# What happens: jax 0.10.2 reads the first of them alone; with all three set it raises that the number of processes must be defined, and starts if the same two numbers are arguments.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/start.py" <<'PY'
"""Starts the only process of a job, by variables alone and with arguments."""

import os
import socket
import sys

import jax

with socket.socket() as free:
  free.bind(("127.0.0.1", 0))
  port = free.getsockname()[1]
os.environ["JAX_COORDINATOR_ADDRESS"] = f"127.0.0.1:{port}"
os.environ["JAX_NUM_PROCESSES"], os.environ["JAX_PROCESS_ID"] = "1", "0"
said = ""
try:
  jax.distributed.initialize()
except ValueError as error:
  said = str(error)
print("jax", jax.__version__)
print("by variables alone:", said or "started")
jax.distributed.initialize(num_processes=1, process_id=0)
print("with two arguments: started, processes:", jax.process_count())
jax.distributed.shutdown()
sys.exit(0 if "umber of processes" in said else 1)
PY
cd "$folder"
JAX_PLATFORMS=cpu venv/bin/python start.py
