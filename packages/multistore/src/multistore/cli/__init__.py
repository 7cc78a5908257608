"""The command line ``multistore``; nothing but this file is loaded until a command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    from multistore.cli.streams import reopen

    reopen()
    try:
        from multistore.cli.app import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write(
            f"multistore: the command line needs {error.name}: pip install 'multistore[cli]'\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:  # before anything began
        sys.exit(130)
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))
