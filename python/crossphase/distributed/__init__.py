"""One pass over a pair on many machines: `crossphase.distributed.dask` and `crossphase.distributed.torch`.

Workers open files themselves and send states back, which merge to the bytes that one process would have made.
"""
