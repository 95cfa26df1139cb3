"""Raw numbers of a network and a machine: parameters, MACs, speed, memory. No statistics."""
