"""Records to tidy frames, estimates, intervals and tests."""
