"""Who acts in a robot clip: scripts, noise, learned policies."""
