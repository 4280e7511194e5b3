"""Data parallelism: one program on every device, batches split over them.

The only file that knows how devices are addressed. A loss is written for the
global batch: it gathers its features over the devices, each device computes
the same scalar, and averaging the devices' gradients gives the gradient of
that scalar exactly. `axis_name=None` stands for one device without an axis.

`jax.pmap` is in maintenance; what replaces it is `jax.jit` of `jax.shard_map`
over a `jax.sharding.Mesh` of the devices. A step keeps its collectives over
`AXIS`; the state, then of spec `PartitionSpec()`, and the batch, of
`PartitionSpec(AXIS)`, lose their leading axis of devices.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

AXIS = "devices"

PyTree = Any


def num_devices() -> int:
  """Returns the number of devices over all hosts."""
  return jax.device_count()


def pmap_step(step_fn: Callable[..., Any]) -> Callable[..., Any]:
  """Returns `step_fn(state, batch) -> (state, metrics)` run on all devices.

  `step_fn` is one device's step; it may use collectives over `AXIS`, and take
  more arguments. What is returned takes a replicated state, a sharded batch and
  what else is replicated. The state's memory is reused: it must not be read
  again after the call.
  """
  return jax.pmap(step_fn, axis_name=AXIS, donate_argnums=(0,))


def all_gather(tree: PyTree, axis_name: str | None) -> PyTree:
  """Returns `[B, ...]` leaves as `[devices * B, ...]`, in device order."""
  if axis_name is None:
    return tree
  return jax.tree.map(
    lambda x: jax.lax.all_gather(x, axis_name, axis=0, tiled=True), tree
  )


def pmean(tree: PyTree, axis_name: str | None) -> PyTree:
  """Returns the leaves' means over the devices."""
  return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def axis_index(axis_name: str | None) -> jax.Array | int:
  """Returns this device's number among all devices."""
  return 0 if axis_name is None else jax.lax.axis_index(axis_name)


def shard(batch: PyTree, num: int | None = None) -> PyTree:
  """Returns this host's batch, split over its devices.

  Args:
    batch: `[B, ...]` arrays.
    num: devices to use; all of this host's by default.

  Returns:
    `[num, B / num, ...]` arrays, one part on each device.

  Raises:
    ValueError: B is not a multiple of the number of devices.
  """
  sharding = _sharding(num)
  num = sharding.num_devices

  def split(x):
    x = np.asarray(x)
    if x.shape[0] % num:
      raise ValueError(
        f"a batch of {x.shape[0]} does not split over {num} devices; "
        "choose a batch size that is a multiple of it"
      )
    return x.reshape(num, -1, *x.shape[1:])

  return jax.device_put(jax.tree.map(split, batch), sharding)


def replicate(tree: PyTree, num: int | None = None) -> PyTree:
  """Returns a copy of the tree on each of `num` devices, as for `shard`.

  The arrays have a leading axis of `num`.
  """
  sharding = _sharding(num)
  stacked = jax.tree.map(
    lambda x: np.broadcast_to(x, (sharding.num_devices, *np.shape(x))), tree
  )
  return jax.device_put(stacked, sharding)


def broadcast(tree: PyTree) -> PyTree:
  """Returns the first process's arrays on all processes, bit for bit.

  Args:
    tree: arrays, of equal shapes and dtypes everywhere.

  Returns:
    The tree, of numpy arrays.
  """
  leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, tree))
  content = b"".join(leaf.tobytes() for leaf in leaves)
  numbers = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
  # One device adds what all others have as zeros.
  rows = np.zeros([jax.local_device_count(), numbers.size], np.int32)
  if jax.process_index() == 0:
    rows[0] = numbers
  sum_fn = jax.pmap(lambda x: jax.lax.psum(x, AXIS), axis_name=AXIS)
  content = unreplicate(sum_fn(rows)).tobytes()
  found, end = [], 0
  for leaf in leaves:
    begin, end = end, end + leaf.nbytes
    values = np.frombuffer(content[begin:end], leaf.dtype)
    found.append(values.reshape(leaf.shape).copy())
  return jax.tree.unflatten(structure, found)


def unreplicate(tree: PyTree) -> PyTree:
  """Returns the first device's copy, as numpy arrays that own their memory."""

  def first(x):
    shards = getattr(x, "addressable_shards", None)
    return np.array((shards[0].data if shards else x)[0])

  return jax.tree.map(first, tree)


def _sharding(num):
  devices = jax.local_devices()
  if num is not None and num > len(devices):
    raise ValueError(f"{num} devices asked for, this host has {len(devices)}")
  mesh = jax.sharding.Mesh(np.array(devices[:num]), (AXIS,))
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))
