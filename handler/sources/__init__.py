"""What comes in, and what it asks for: the shapes of events, a reader for each, and the schema of the request."""
