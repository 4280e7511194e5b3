"""One device against eight: the loss and the gradients of the same batch.

  python -m benchmarks.devices

The network is the small one with the weights that ship with the project; the
clips are noise. Prints the largest relative difference of the loss terms and
the largest difference of a gradient, over the largest gradient.
"""

import os

os.environ["XLA_FLAGS"] = (
  f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
)

import jax  # noqa: E402  It reads the flag above.
import numpy as np  # noqa: E402

from a2r.core import compilation, parallel  # noqa: E402
from a2r.learners import adapt2reward  # noqa: E402
from a2r.models import adapt2reward as net
from a2r.models.singularity import singularity
from a2r.runs import weights
from a2r.sim.humans import human_clips
from configs import envgen  # noqa: E402

_NUM_TRAINED = 4


def main():
  """Prints the differences."""
  compilation.enable_cache()
  config = envgen.get_config()
  params, tokenizer, _ = weights.load_backbone(weights.shipped_backbone())
  ids, mask = tokenizer(list(human_clips.TEMPLATES[:7]), 16)
  draw = np.random.default_rng(0)
  model = net.Adapt2Reward(
    singularity.Config(**config.model.backbone),
    num_tasks=_NUM_TRAINED,
    num_failure_prompts=config.model.num_failure_prompts,
    failure_prompt_length=config.model.failure_prompt_length,
    domain_prompt_length=config.model.domain_prompt_length,
  )
  learner = adapt2reward.make_learner(
    model,
    instruction_ids=ids,
    instruction_mask=mask,
    weights=dict.fromkeys(config.loss.weights, 1.0),
    temperature=config.loss.temperature,
    crop=config.train.crop,
    color=config.train.color,
    initial_params=lambda rng: (
      jax.jit(lambda rng: adapt2reward.init_params(model, rng, ids))(rng)
      | {"backbone": params}
    ),
    failure_frames=_frames(draw, 32),
    failure_task=np.arange(32) % _NUM_TRAINED,
  )
  state = learner.init(jax.random.key(0))
  batch = {name: _part(draw) for name in ("human", "robot", "failure")}
  one, eight = (_terms_and_gradients(learner, state, batch, n) for n in (1, 8))
  for name in one[0]:
    difference = abs(float(eight[0][name]) / float(one[0][name]) - 1)
    print(f"{name:18s} {float(one[0][name]):12.6f}  relative {difference:.1e}")
  pairs = zip(jax.tree.leaves(one[1]), jax.tree.leaves(eight[1]), strict=True)
  largest = max(float(np.abs(x).max()) for x in jax.tree.leaves(one[1]))
  apart = max(float(np.abs(x - y).max()) for x, y in pairs)
  print(f"gradients          {largest:12.6f}  relative {apart / largest:.1e}")


def _frames(draw, num):
  return draw.integers(0, 256, (num, 4, 64, 64, 3)).astype(np.uint8)


def _part(draw):
  task = (np.arange(8) % _NUM_TRAINED).astype(np.int32)
  record = np.arange(8, dtype=np.int32)
  return {"frames": _frames(draw, 8), "task": task, "record": record}


def _terms_and_gradients(learner, state, batch, num_devices):
  """Loss terms, and the gradients averaged over the devices."""

  def step(state, batch):
    (loss, terms), gradients = jax.value_and_grad(
      learner.loss_fn, has_aux=True
    )(*state, batch, jax.random.key(1), parallel.AXIS)
    terms = {"loss": loss} | terms
    return state, parallel.pmean((terms, gradients), parallel.AXIS)

  state = parallel.replicate(state, num_devices)
  _, result = parallel.pmap_step(step)(
    state, parallel.shard(batch, num_devices)
  )
  return parallel.unreplicate(result)


if __name__ == "__main__":
  main()
