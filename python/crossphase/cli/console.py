"""What the terminal sees: results on stdout, progress and errors on stderr, exit codes."""

from __future__ import annotations

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from crossphase.diagnosis import Diagnosis
from crossphase.errors import InputTypeError, InputValueError, InputWarning, OutputError
from crossphase.exit_codes import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from crossphase.pairwise import PairwiseDiagnosis
    from crossphase.summarize import Progress as RowProgress

_P = ParamSpec("_P")
_R = TypeVar("_R")


def guarded(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn what can go wrong into one sentence on stderr and an exit code; bugs keep their traceback."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InputWarning)  # they are in the result, which is printed
                outcome = command(*args, **kwargs)
                sys.stdout.flush()
                return outcome
        except BrokenPipeError:  # the reader has had enough; nothing more can be said to it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_FAILED) from None
        except (InputValueError, InputTypeError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise _failed(_sentence(error), EXIT_BAD_INPUT) from None
        except (OutputError, ImportError, OSError) as error:
            raise _failed(_sentence(error), EXIT_FAILED) from None
        except MemoryError as error:
            raise _failed(f"not enough memory ({error})" if str(error) else "not enough memory", EXIT_FAILED) from None
        except KeyboardInterrupt as interrupt:
            notes = getattr(interrupt, "__notes__", [])  # such as where a checkpoint was left
            raise _failed("; ".join(["interrupted", *notes]), EXIT_INTERRUPTED) from None

    return run


@contextmanager
def progress(first_step: str) -> Iterator[Callable[[RowProgress], None] | None]:
    """What is going on, on stderr, and only if that is a terminal: the library's log, beside a bar that runs to and fro.

    Gives what `summarize_pair` calls on the way: then the bar fills, with rate and remaining time; None without a terminal.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    logger = logging.getLogger("crossphase")
    with Progress(BarColumn(24), TextColumn("{task.description}"), console=console, transient=True) as bars:
        step, rows = bars.add_task(first_step, total=None), bars.add_task("", visible=False)

        def show_step(record: logging.LogRecord) -> None:
            bars.update(step, description=escape(record.getMessage()), visible=True)
            bars.update(rows, visible=False)

        def show_rows(now: RowProgress) -> None:
            share, rate = now.done_rows / now.total_rows, now.bytes_per_second / 1e6
            left = timedelta(seconds=round(now.seconds_left))
            told = f"{share:4.0%} of {now.total_rows:,} rows  {rate:,.0f} MB/s  {left} left"
            bars.update(rows, completed=now.done_rows, total=now.total_rows, description=told, visible=True)
            bars.update(step, visible=False)

        handler = _Calling(show_step)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield show_rows
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


def print_diagnosis(result: Diagnosis | PairwiseDiagnosis) -> None:
    """The table; its first line, the verdict, in bold where there is a terminal."""
    verdict, _, rest = str(result).partition("\n")
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(verdict, style="bold"))
    console.print(Text(rest))


class _Calling(logging.Handler):
    def __init__(self, function: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.INFO)
        self._function = function

    def emit(self, record: logging.LogRecord) -> None:
        self._function(record)


def _sentence(error: Exception) -> str:
    """What happened, without Python's errno."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _failed(sentence: str, code: int) -> typer.Exit:
    print(f"error: {sentence}", file=sys.stderr)
    return typer.Exit(code)
