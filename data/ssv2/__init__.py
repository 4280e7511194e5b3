"""Something-Something V2: from its official download to the project's shards.

220,847 videos of people who do something with something, in 174 templates.
R. Goyal et al., The "something something" video database for learning and
evaluating visual common sense, https://arxiv.org/abs/1706.04261
"""
