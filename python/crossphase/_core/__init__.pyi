from crossphase._core import cpu as cpu

__version__: str

def return_freed_memory() -> None: ...
