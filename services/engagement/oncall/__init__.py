"""On-call services, and the providers that know who is on call for them (E10)."""
