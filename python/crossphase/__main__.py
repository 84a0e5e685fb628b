"""Entry of the ``crossphase`` command."""

from __future__ import annotations

import io
import sys

from crossphase.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED


def main() -> None:
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # Δ and ✓ are worth a question mark, not a traceback, where they have no code
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        from crossphase.cli import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        print('error: the command line needs typer and rich: pip install "crossphase[cli]"', file=sys.stderr)
        raise SystemExit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None
    app()


if __name__ == "__main__":
    main()
