"""Words on the terminal, one file a command: results to stdout, progress and errors to stderr."""
