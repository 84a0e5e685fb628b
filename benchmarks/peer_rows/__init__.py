"""What `benchmarks/peers.py` measures: a module for each family of kernels, a function for each target."""
