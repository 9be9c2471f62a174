"""What only the engine has that runs the function: secrets, counters, queues, and who waits for an answer."""
