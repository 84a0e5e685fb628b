from crossphase._core import cpu as cpu

__version__: str
