"""Tests of Muster, mirroring the tree by name."""
