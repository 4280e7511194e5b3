"""Where the clips of a run come from."""
