"""Parts everything else stands on: devices, optimizers, checkpoints."""
