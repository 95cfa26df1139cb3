"""The training loop, its optimisers, schedules, execution modes and checkpoints."""
