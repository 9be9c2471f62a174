"""AWS, by signed plain HTTP."""
