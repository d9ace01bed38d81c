"""Teams: kept by administrators, and engaged together (E1)."""
