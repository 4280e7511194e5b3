"""Environment generalization: the reward in environments it never saw.

Robot clips of four tasks, successes and failures, from one environment; human
clips of these tasks and three more. The reward is then judged in the training
environment and in three others: other colors, another viewpoint, another
arrangement. Adapt2Reward (https://arxiv.org/abs/2407.14872), figure 3.

  python -m launch.train --config=configs/envgen.py

Sizes: `small` (the default) makes its data in the simulator and starts from
the backbone that ships with the project; two CPU cores need minutes. `paper`
(--config=configs/envgen.py:paper) has the published sizes and wants
Something-Something V2, 560 robot clips per task and an accelerator. `smoke`
only shows that everything runs.
"""

from ml_collections import config_dict

from a2r import sim
from a2r.core import checks
from configs import backbones

HUMAN_TEMPLATES = (
  "Closing something",
  "Moving something away from the camera",
  "Moving part of something",
  "Pushing something from left to right",
  "Opening something",
  "Moving something towards the camera",
  "Pushing something from right to left",
)


def get_config(size: str = "small") -> config_dict.ConfigDict:
  """Settings of the experiment in one of its sizes."""
  sizes = {"small": _small, "paper": _paper, "smoke": _smoke}
  checks.one_of("size", size, sizes)
  return sizes[size]()


def _small():
  return config_dict.create(
    seed=0,
    # Or a method to compare with: concept2robot, dvd, liv, triplet.
    method="adapt2reward",
    data=dict(
      dir="datasets",
      image_size=64,
      stored_frames=8,
      robot=dict(
        source="tabletop",
        # Up to `tasks` for own clips: a manifest or folder (source=folder),
        # a data set's folder (lerobot, rlds), or shards (records).
        path="",
        test_path="",  # To judge on; else a share of `path` is held out.
        camera="",  # Which pictures of lerobot or rlds; found if one can be.
        instruction_key="",  # Of rlds; the same.
        success_key="",  # Of both; the same.
        success_threshold=1.0,  # A success is where it reaches that.
        labels="",  # Of lerobot: a CSV of episode_index,success beside meta/.
        tasks=(),  # All that there are; in the tabletop, the target tasks.
        environment="tabletop/train",
        successes=120,
        failures=120,
        near_miss_fraction=0.5,
        near_miss_sources=("near_miss", "noise", "rl"),
        random_sources=("random", "explore"),
        success_sources=("expert", "explore"),
      ),
      human=dict(
        source="procedural",
        path="",
        templates=HUMAN_TEMPLATES,
        clips_per_template=120,  # At most; 0 takes all that there are.
      ),
      # At most so many clips of a task; of own clips at most this share too
      # (0 holds out none).
      validation=dict(successes=30, failures=30, share=0.2),
    ),
    model=dict(
      init="small_backbone",
      backbone=backbones.small(),
      num_failure_prompts=3,
      failure_prompt_length=1,
      domain_prompt_length=1,
    ),
    loss=dict(
      # Terms are sums over a batch; by 1 that of failures is a tenth of all.
      weights=dict(cdc=1.0, vlc=1.0, fvlc=5.0, bce=1.0),
      temperature=0.07,
    ),
    # What the methods to compare with have besides, each under its name.
    concept2robot=dict(
      templates=(),  # All that there are, in place of data.human.templates.
      clips_per_template=40,  # In place of data.human.clips_per_template.
      score="log_odds",  # Or "published", which ranks alike until it is 1.
    ),
    dvd=dict(
      steps=10,  # Of the discriminator, to one of those that encode clips.
      num_views=3,  # Of each clip, the clip itself and augmented ones.
      num_demos=3,
      batch_size=24,  # Triplets, of features that are there already.
      robot_probability=0.5,
      optim=dict(learning_rate=0.01, momentum=0.9, weight_decay=1e-5),
    ),
    # As published for fine-tuning; pre-training has lang=1, num_negatives=3.
    liv=dict(
      weights=dict(clip=1.0, vision=1.0, lang=0.0),
      gamma=0.98,
      num_negatives=0,
    ),
    triplet=dict(margin=0.2),
    optim=dict(
      learning_rate=5e-4,
      warmup_steps=20,
      weight_decay=0.02,
      clip_norm=1.0,
      vision_rate=1.0,  # Of the encoder of clips, to the rest's; 0 freezes it.
      b1=0.9,
      b2=0.999,
      floor=0.0,
    ),
    train=dict(
      num_steps=300,
      epoch_steps=60,
      batch=dict(human=8, robot=8, failure=8),
      augment="crop_color",  # Or "published": crop and color have no part.
      crop=0.15,
      color=0.5,
      warp=0.0,  # Of the view: the most that a corner moves.
      mirror=False,  # Clips of instructions without a direction.
      micro_batch=0,
      log_every=10,
      checkpoint_every=60,
    ),
    eval=dict(
      environments=sim.ENVIRONMENTS,
      tasks=sim.TARGETS,
      successes=50,
      failures=50,
      best_metric="auroc",
    ),
  )


def _paper():
  config = _small()
  config.data.update(image_size=224, stored_frames=16)
  config.data.robot.update(successes=280, failures=280)
  config.data.human.update(source="ssv2", clips_per_template=1000)
  config.concept2robot.clips_per_template = 0
  config.loss.weights.fvlc = 1.0  # As published.
  config.model.update(init="scratch")
  # Assigned: an update would leave in it what the small one has besides.
  config.model.backbone = backbones.paper()
  config.optim.update(learning_rate=1e-5, warmup_steps=200)
  config.train.update(
    num_steps=20_000, epoch_steps=280, checkpoint_every=560, augment="published"
  )
  return config


def _smoke():
  config = _small()
  config.data.robot.update(tasks=sim.TARGETS[:2], successes=4, failures=4)
  config.data.human.update(templates=HUMAN_TEMPLATES[:3], clips_per_template=4)
  config.concept2robot.update(
    templates=HUMAN_TEMPLATES[:3], clips_per_template=4
  )
  config.data.validation.update(successes=4, failures=4)
  config.model.update(init="scratch", backbone=backbones.smoke())
  config.optim.update(warmup_steps=2)
  config.train.update(
    num_steps=6, epoch_steps=3, log_every=1, checkpoint_every=2
  )
  config.eval.update(
    environments=sim.ENVIRONMENTS[:2],
    tasks=sim.TARGETS[:2],
    successes=4,
    failures=4,
  )
  return config
