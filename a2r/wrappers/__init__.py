"""A learned reward as the reward of an environment.

`RewardWrapper` is for Gymnasium, single and vector; `brax.RewardWrapper` for
Brax, on the device.
"""

from a2r.wrappers.gym import RewardWrapper as RewardWrapper
