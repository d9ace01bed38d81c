"""What crosses a process: typed activity stubs with their inputs and outputs, task queues, ids and search attributes."""
