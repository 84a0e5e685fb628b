"""Exit codes of the ``crossphase`` command; apart from it, so that its failure to start can use them."""

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count

DESCRIPTION = (
    "Exit codes: 0 done; 1 something failed (a missing optional package, no memory, an output that cannot be written); "
    "2 the input or the command line is wrong, the message says how; 130 interrupted by Ctrl-C."
)
