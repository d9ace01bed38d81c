"""The pure core of Muster: what an incident is, and how it proceeds. No I/O, no clock, no randomness."""
