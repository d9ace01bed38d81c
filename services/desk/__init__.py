"""The desk: where what people ask of an incident is admitted, or turned away, whichever service they asked."""
