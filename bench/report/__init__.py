"""Tables and figures from finished frames; computes nothing."""
