"""Visual model-predictive control: imagine candidates, score them, act."""
