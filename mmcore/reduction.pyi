"""Nothing of it is visible from Python; see reduction.pxd."""
