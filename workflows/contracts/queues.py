"""Task queues, one a service: whoever polls a queue offers exactly the activities of that service."""

from typing import Final

ENGAGEMENT: Final = "engagement"
LIFECYCLE: Final = "lifecycle"
NOTIFY: Final = "notify"
