"""The tabletop: scene, physics, tasks, environments."""
