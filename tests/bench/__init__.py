"""How fast Muster is, mostly as ratios to the least that the same work can cost on the same machine (``make bench``)."""
