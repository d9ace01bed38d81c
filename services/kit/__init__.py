"""What every service is built with."""
