"""What was in use in the past, as sweeps have seen it: remembered in the state table, packed tightly."""
