"""Where incidents come in: durable once acknowledged, whatever else is down (R1-R4)."""
