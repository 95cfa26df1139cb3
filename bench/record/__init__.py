"""What a run leaves behind: the record's schema, the store, the environment."""
