"""Entry of the ``crossphase`` command."""

from __future__ import annotations

import sys

from crossphase.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED


def main() -> None:
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
