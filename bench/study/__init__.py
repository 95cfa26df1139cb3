"""Study files: what they may say, how they are read, expanded and identified."""
