"""The two engines of the tabletop: C MuJoCo and MJX."""
