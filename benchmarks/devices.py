"""One device against eight: the loss and the gradients of the same batch.

  python -m benchmarks.devices

The network is the small one with the weights that ship with the project; the
clips are noise. Prints the largest relative difference of the loss terms and
the largest difference of a gradient, over the largest gradient.
"""

import types

import jax
import numpy as np

from a2r.core import compilation, parallel
from a2r.learners import adapt2reward, base, encoding
from a2r.models import adapt2reward as net
from a2r.models import pretrained
from a2r.models.singularity import singularity
from a2r.sim.humans import human_clips
from configs import envgen

_NUM_TRAINED = 4


def main():
  """Prints the differences."""
  jax.config.update("jax_num_cpu_devices", 8)
  compilation.enable_cache()
  config = envgen.get_config()
  backbone = pretrained.read(pretrained.shipped())
  draw = np.random.default_rng(0)
  model = net.Adapt2Reward(
    singularity.Config(**config.model.backbone),
    num_tasks=_NUM_TRAINED,
    num_failure_prompts=config.model.num_failure_prompts,
    failure_prompt_length=config.model.failure_prompt_length,
    domain_prompt_length=config.model.domain_prompt_length,
  )
  texts = list(human_clips.TEMPLATES[:7])
  setup = base.Setup(
    model=model,
    tokenizer=backbone.tokenizer,
    max_length=16,
    init_fn=lambda rng: (
      singularity.init_params(model, rng) | {"backbone": backbone.params}
    ),
    labels=texts,
    texts=texts,
    num_trained=_NUM_TRAINED,
    clips=types.SimpleNamespace(
      frames=lambda part: _frames(draw, 32),
      tasks=lambda part: np.arange(32) % _NUM_TRAINED,
    ),
    temperature=config.loss.temperature,
    augmentation=encoding.Augmentation(
      "crop_color", config.train.crop, config.train.color
    ),
  )
  settings = adapt2reward.Settings(
    dict.fromkeys(config.loss.weights, 1.0), config.loss.temperature
  )
  learner = adapt2reward.make(setup, settings).learner
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
  return draw.integers(0, 256, (num, 8, 64, 64, 3)).astype(np.uint8)


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
