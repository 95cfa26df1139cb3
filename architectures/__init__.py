"""The scratch networks."""
