"""What may go and what stays. Pure: no clock, no network, nothing but the standard library and the model."""
