"""Stand-ins for the clips, trainings and trials of a reproduction."""

import pathlib

import jax.numpy as jnp

from a2r.evaluation import comparison, figures, quality
from a2r.learners import registry
from a2r.planning import acting
from a2r.runs import datasets
from a2r.runs import train as training
from a2r.runs import trials as planning
from tests import tiny


def make(done):
  """`(module, name, value)` of what takes long; tells what it did."""

  def train(config, folder):
    done.append(("train", folder.name, config.method, config.seed))
    (folder / "weights").write_text(f"{config.loss.weights.to_dict()}")

  def play(environment, tasks, seeds, dynamics, objective, settings, **_):
    name = objective.name if objective else "random"
    done.append(("play", name, environment, tuple(sorted(set(seeds)))))
    return tiny.make_trials(seeds, settings)

  def load(folder, checkpoint="best"):
    assert (pathlib.Path(folder) / "weights").exists()
    return tiny.make_blank_scorer(
      name="some", params={"w": jnp.ones(len(pathlib.Path(folder).name))}
    )

  def judge(scorer, clips, texts):
    done.append(("judge",))
    names = comparison.QUALITY.values()
    row = dict.fromkeys(names, 1 / len(scorer.params["w"]))
    row["environment"] = "tabletop/train"
    figures = {"texts": texts, "summary": [row], "clock": [row]}
    return figures | {"rows": [], "notes": [], "confusion": {}, "curves": {}}

  def open_data(config, *, seed, use_failures):
    done.append(("clips", seed))

  return [
    (training, "run", train),
    (acting, "run", play),
    (planning, "_animate", lambda *_: b"picture"),
    (registry, "load_scorer", load),
    (quality, "quality", judge),
    (figures, "quality", lambda *_: b"picture"),
    (figures, "success_rates", lambda *_: b"picture"),
    (datasets, "open_data", open_data),
    (datasets, "open_test", lambda *_: None),
  ]
