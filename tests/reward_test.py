"""Tests of the public reward: on known features, and on a saved tiny run."""

import json
import logging
import os
import pathlib
import pickle
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from a2r import reward
from a2r.core import digests, files, images, tensors
from a2r.models import adapt2reward as net
from a2r.models import familiarity, saved, scorer
from tests import tiny
from tests.tiny import KNOWN, make_clips, make_fake

ROOT = pathlib.Path(__file__).parents[1]


def test_scores_are_of_an_instruction_or_one_per_clip():
  model, _ = make_fake()
  clips = make_clips([0, 1, 1])
  score = model.score(clips, KNOWN[1])
  np.testing.assert_array_equal(score, [0, 1, 1])
  assert score.dtype == np.float32
  per_clip = model.score(clips, [KNOWN[0], KNOWN[0], KNOWN[1]])
  np.testing.assert_array_equal(per_clip, [1, 0, 1])
  scores = model.scores(make_clips([3]), ["juggling", *KNOWN])
  np.testing.assert_array_equal(scores, [[1, 0, 0, 0]])
  # Clips of several sizes, read one by one.
  several = (make_clips([i], num_frames=2 + i)[0] for i in (0, 1))
  np.testing.assert_array_equal(model.score(several, KNOWN[:2]), [1, 1])
  # A short clip repeats its frame.
  assert model.score(make_clips([1], num_frames=1), KNOWN[1]) == [1]


def test_forms():
  e = np.e
  expected = {
    # Own text, two other known ones, two own failure texts.
    "softmax": e / (e + 4),
    "own_failures": e / (e + 2),
    "cosine": 1.0,
  }
  for form, value in expected.items():
    model, _ = make_fake(form)
    score = model.score(make_clips([0]), KNOWN[0])
    np.testing.assert_allclose(score, value, rtol=1e-6)
    assert model.form == form
  np.testing.assert_allclose(
    model.similarities(make_clips([0]), KNOWN), [[1, 0, 0]]
  )
  assert list(model.form_scores(make_clips([0]), KNOWN)) == list(net.FORMS)


def test_without_prompts_the_words_of_failing_compete():
  asked = []

  def failing(texts):
    asked.extend(texts)
    return np.eye(5, dtype=np.float32)[[4] * len(texts)]

  model, _ = make_fake("own_failures", failing_fn=failing)
  clips = make_clips([0, 2, 4])
  scores = model.scores(clips, [KNOWN[0], KNOWN[2]])
  e = np.e
  # The first has two prompts, one of which the last clip is; the other none.
  expected = [
    [e / (e + 2), 0.5],
    [1 / 3, e / (e + 1)],
    [1 / (2 + e), 1 / (1 + e)],
  ]
  np.testing.assert_allclose(scores, expected, rtol=1e-6)
  assert asked == [KNOWN[2]]
  model, _ = make_fake("own_failures", False, failing)
  np.testing.assert_allclose(model.score(clips, KNOWN[0])[0], e / (e + 1))


def test_failure_modes():
  model, _ = make_fake()
  modes = model.failure_modes(make_clips([0, 4]), "Close the drawer!")
  e = np.e
  expected = np.array([[e, 1, 1], [1, 1, e]]) / (e + 2)
  np.testing.assert_allclose(modes, expected, rtol=1e-6)
  with pytest.raises(KeyError, match="moving cup away from the camera"):
    model.failure_modes(make_clips([0]), KNOWN[2])
  # Prompts that were not trained are ignored.
  model, _ = make_fake("own_failures", failure_prompts=False)
  score = model.score(make_clips([0]), KNOWN[0])
  np.testing.assert_allclose(score, np.e / (np.e + 2), rtol=1e-6)
  with pytest.raises(KeyError, match="none of them with"):
    model.failure_modes(make_clips([0]), KNOWN[0])


def test_few_batch_sizes_reach_the_model():
  model, compiled = make_fake()
  levels = np.arange(130) % 4
  scores = model.score(make_clips(levels), KNOWN[2])
  np.testing.assert_array_equal(scores, levels == 2)
  for num in (1, 3, 4, 5, 16, 17):
    model.score(make_clips(levels[:num]), KNOWN[2])
  assert compiled == [(num, 2, 4, 4, 3) for num in (64, 1, 4, 16)]


def test_faults_are_named():
  model, _ = make_fake()
  clips = make_clips([0, 1])
  faults = [
    (clips.astype(np.float32), KNOWN[0], "uint8 .* got float32"),
    (clips[0], KNOWN[0], r"clip\[None\]"),
    (clips[..., :1], KNOWN[0], r"\[B, T, H, W, 3\]"),
    (clips[:0], KNOWN[0], "none of them zero"),
    (clips, "", "instruction is empty"),
    (clips, " ?!", "instruction is empty"),
    (clips, KNOWN[:1], "2 clips and 1 instructions"),
    (iter(clips), KNOWN[:1], "2 clips and 1 instructions"),
    (clips, [KNOWN[0], 3], "an instruction is a str"),
  ]
  for bad, instructions, message in faults:
    with pytest.raises(ValueError, match=message):
      model.score(bad, instructions)
  with pytest.raises(ValueError, match="unknown form 'cos'"):
    make_fake("cos")


def test_reading_is_told(caplog):
  model, _ = make_fake()
  with caplog.at_level(logging.INFO, logger="absl"):
    model.score(make_clips([0]), "close the drawer")
    model.score(make_clips([0]), "close the drawer")
    model.score(make_clips([0]), "Closing drawer.")
  told = [r for r in caplog.records if "read as" in r.getMessage()]
  assert len(told) == 1
  assert model.read("juggling") == "juggling"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  return folder, *tiny.make_run(folder)


@pytest.fixture(scope="module")
def clips():
  return np.random.default_rng(0).integers(
    0, 256, (3, 5, 24, 20, 3), dtype=np.uint8
  )


def test_features_are_those_of_the_model(run, clips):
  folder, model, params, tokenizer = run
  loaded = reward.load(folder, "newest")
  assert loaded.instructions == KNOWN
  assert loaded.trained_instructions == KNOWN[:2]
  newest, best = (
    m.score(clips, KNOWN[0]) for m in (loaded, reward.load(folder))
  )
  assert np.abs(best - newest).max() > 1e-4
  small = images.resize(clips[:, [0, 4]], 16)
  ids, mask = tokenizer(KNOWN, 10)
  variables = {"params": params}
  expected = jax.jit(model.apply)(variables, images.normalize(small), ids, mask)
  np.testing.assert_allclose(
    loaded.similarities(clips, KNOWN), expected, atol=1e-5
  )
  modes = loaded.failure_modes(clips, KNOWN[1])
  assert modes.shape == (3, 3)
  np.testing.assert_allclose(modes.sum(1), 1, rtol=1e-5)
  # Same text, one that is new, and one that has too many words.
  same = loaded.similarities(clips, ["Close the drawer", "opening jar"])
  np.testing.assert_allclose(same[:, 0], expected[:, 0], atol=1e-5)
  with pytest.raises(ValueError, match="more than the model's 10 tokens"):
    loaded.score(clips, "moving " * 40)


def test_assessment(run, clips, tmp_path):
  old = reward.load(run[0])
  assert not old.can_assess
  with pytest.raises(ValueError, match="train it anew"):
    old.assess(clips, KNOWN[0])
  folder = shutil.copytree(run[0], tmp_path / "run")
  training = scorer.encode_parts(old.scorer, clips)
  reference = familiarity.fit(training)
  tensors.save(folder / saved.FAMILIARITY_FILE, reference, recorded=False)
  spec = json.loads((folder / "reward.json").read_text())
  spec["calibration"] = [2.0, -1.0]
  (folder / "reward.json").write_text(json.dumps(spec))
  model = reward.load(folder)
  seen = model.assess(clips, KNOWN[0])
  np.testing.assert_array_equal(seen.reward, model.score(clips, KNOWN[0]))
  assert seen.trust.all() and (seen.familiarity > 0.5).all()
  odds = (seen.reward / (1 - seen.reward)) ** 2 / np.e
  np.testing.assert_allclose(seen.probability, odds / (1 + odds), rtol=1e-4)
  # Texts of their own; one is no trained instruction.
  texts = [KNOWN[0], KNOWN[2], "opening jar"]
  seen = model.assess(clips, texts)
  np.testing.assert_array_equal(seen.reward, model.score(clips, texts))
  assert seen.trust.tolist() == [True, False, False]
  model.save(tmp_path / "mine")
  again = reward.load(tmp_path / "mine").assess(clips, texts)
  for left, right in zip(again, seen, strict=True):
    np.testing.assert_array_equal(left, right)
  assert not reward.load(folder, "newest").can_assess  # Of other weights.


def test_64_bits_that_are_set_later_change_no_score(run, clips):
  loaded = reward.load(run[0])
  expected = loaded.score(clips, KNOWN[0])
  with jax.enable_x64(True):
    scores = loaded.score(clips, KNOWN[0])
  assert scores.dtype == np.float32
  np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_instructions_of_another_script_are_told(run, clips, caplog):
  loaded = reward.load(run[0])
  for unread in ("\u5173\u62bd\u5c49", "\U0001f916"):
    with pytest.raises(ValueError, match=f"nothing of .*{unread}"):
      loaded.score(clips, ["closing drawer", unread, unread])
  caplog.clear()
  for _ in range(2):
    loaded.score(clips, "closing \u62bd\u5c49")
  assert len([r for r in caplog.records if "\u62bd" in r.getMessage()]) == 1


def test_other_runs_are_listed(run, tmp_path):
  folder = run[0]
  with pytest.raises(FileNotFoundError, match="runs: .*tiny"):
    reward.load(folder.parent / "other")
  with pytest.raises(FileNotFoundError, match="launch.train"):
    reward.load(tmp_path / "none")
  (tmp_path / "config.json").write_text("{")
  with pytest.raises(ValueError, match="not JSON"):
    reward.load(tmp_path)


def test_saved_reward_scores_the_same(run, clips, tmp_path):
  loaded = reward.load(run[0])
  loaded.save(tmp_path / "my_reward")
  again = reward.load(tmp_path / "my_reward")
  texts = [*KNOWN, "opening jar"]
  for form, scores in loaded.form_scores(clips, texts).items():
    np.testing.assert_array_equal(again.form_scores(clips, texts)[form], scores)
  np.testing.assert_array_equal(
    again.failure_modes(clips, KNOWN[0]),
    loaded.failure_modes(clips, KNOWN[0]),
  )
  assert again.form == loaded.form == "softmax"
  assert again.trained_instructions == KNOWN[:2]
  # What was saved can be saved again, the same to the byte.
  again.save(tmp_path / "copy")
  for path in (tmp_path / "my_reward").iterdir():
    copied = tmp_path / "copy" / path.name
    assert path.read_bytes() == copied.read_bytes(), path.name
  with pytest.raises(ValueError, match="only a reward that was loaded"):
    make_fake()[0].save(tmp_path / "fake")


_PROCESSES = """
import multiprocessing, pickle, sys
from concurrent import futures
import numpy as np
from a2r import reward
from a2r.core import compilation

CLIPS = np.full((1, 2, 16, 16, 3), 9, np.uint8)

def load(folder):
  return reward.load(folder).form

def score(folder):
  return MODEL.score(CLIPS, "closing drawer")

def unpickle(folder):
  return pickle.loads(PICKLED).form

def in_process(method, function, *arguments):
  context = multiprocessing.get_context(method)
  with futures.ProcessPoolExecutor(1, mp_context=context) as pool:
    return pool.submit(function, *arguments).result(60)

if __name__ == "__main__":
  folder = sys.argv[1]
  in_process("fork", compilation.check_process)  # JAX is not in use yet.
  MODEL = reward.load(folder)
  expected = MODEL.score(CLIPS, "closing drawer")
  PICKLED = pickle.dumps(MODEL)
  for function in (load, score, unpickle):
    try:
      in_process("fork", function, folder)
    except RuntimeError as error:
      assert "get_context('spawn')" in str(error)
    else:
      raise AssertionError(function)
  scores = in_process("spawn", MODEL.score, CLIPS, "closing drawer")
  np.testing.assert_array_equal(scores, expected)
  print("done")
"""


def test_processes_score_by_spawn_and_a_fork_is_told(run, tmp_path):
  script = tmp_path / "script.py"
  script.write_text(_PROCESSES)
  done = subprocess.run(
    [sys.executable, "-W", "ignore", script, run[0]],
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    timeout=200,
  )
  assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_reward_that_was_not_loaded_is_not_pickled():
  with pytest.raises(TypeError, match="was loaded"):
    pickle.dumps(make_fake()[0])


def test_weights_that_do_not_fit(run, tmp_path):
  copy = tmp_path / "copy"
  shutil.copytree(run[0], copy)
  config = json.loads((copy / "config.json").read_text())
  config["model"]["backbone"]["embed_dim"] = 6
  (copy / "config.json").write_text(json.dumps(config))
  with pytest.raises(ValueError, match="copy does not fit the model"):
    reward.load(copy)


@pytest.mark.parametrize("at", [0, 0.2, 0.5, 0.8, -3])
@pytest.mark.parametrize(
  "name", ["reward.json", "config.json", "tokenizer.json"]
)
def test_a_flipped_bit_of_a_run_is_named(run, tmp_path, name, at):
  copy = shutil.copytree(run[0], tmp_path / "copy")
  for file in ("reward.json", "config.json"):
    path = copy / file
    files.write_json(path, json.loads(path.read_text()), recorded=True)
  assert digests.read(copy).keys() >= {name}
  tiny.flip(copy / name, at)
  with pytest.raises(ValueError, match=name):
    reward.load(copy)
