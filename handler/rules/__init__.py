"""Which images may go and which stay. Pure: no clock, no network, only the standard library and the model."""
