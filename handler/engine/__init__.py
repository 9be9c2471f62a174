"""What depends on the engine that runs the function: secrets, counters, queues, callers that wait for an answer."""
