"""The ``lingctl`` command: verbs, global options, and the one place where errors become exit statuses."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

from lingctl import __version__
from lingctl.errors import Interrupted, LingctlError

EPILOG = (
    "Exit status: 0 done, 1 failed, 2 usage or configuration, 3 findings or partial, "
    "4 unreachable or not logged in, 5 locked, 130 interrupted."
)

# In the order of the work, each in a line of `lingctl -h`. A module under cli/ has a function of the verb's
# name, or an ``app`` with verbs of its own.
VERBS = {
    "init": "Write a commented hosts.yaml to start from.",
    "models": "List the Ling models: size, context, what fits.",
    "capacity": "Tell whether a model fits, and how long a context.",
    "check-network": "Check cards, links, hosts and the ways between them.",
    "download": "Download weights, every byte verified.",
    "verify-weights": "Check that weights are whole.",
    "convert": "Convert .bin checkpoints to safetensors.",
    "render": "Write or check MindIE's files.",
    "patch": "See, apply and revert the ATB overlay.",
    "npu-check": "Compute on every card, add up over all of them.",
    "deploy": "Bring every node to what hosts.yaml asks; prove it.",
    "smoke-test": "Prove that the service answers.",
    "bench": "Measure how fast it answers.",
    "status": "Show what runs where.",
    "logs": "Print what MindIE prints on every node.",
    "stop": "Stop the service.",
    "restart": "Stop it and start it again as it is.",
    "releases": "List what was deployed, and when.",
    "rollback": "Go back to an earlier release.",
    "collect": "Pack the evidence of a failure.",
    "export": "Write the service for Kubernetes.",
    "audit": "Show every change made on the nodes.",
    "lock": "See or release the cluster's lock.",
    "bundle": "Make one archive for a site without a network.",
    "sandbox": "An emulated cluster to try all this on.",
}


class _InOrder(TyperGroup):
    """Lists the verbs in the order of the work; click would put groups last."""

    def list_commands(self, ctx: object) -> list[str]:
        return sorted(self.commands, key=list(VERBS).index)


app = typer.Typer(
    name="lingctl",
    cls=_InOrder,
    help="From bare Ascend servers to a tested MindIE service for the Ling models.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lingctl {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["LINGCTL_DEBUG"] = "1"


def register_verbs() -> None:
    """Add every verb: a function as a command, a sub-application as a group."""
    for verb, meaning in VERBS.items():
        name = verb.replace("-", "_")
        module = importlib.import_module(f"lingctl.cli.{name}")
        group = getattr(module, "app", None)
        if group is None:
            app.command(verb, short_help=meaning)(getattr(module, name))
        else:
            app.add_typer(group, name=verb, short_help=meaning)


def main() -> None:
    """Run the command line and exit."""
    try:
        register_verbs()
        _run()
    except (KeyboardInterrupt, Interrupted):
        again = "run the same command again: it goes on where it stopped"
        _say(Interrupted("interrupted", remedy=again))
        # Threads may still wait for a silent host; nobody waits for them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Interrupted.exit_status)
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except LingctlError as error:
        _report(error)
    except Exception as error:  # Anything else is a defect of lingctl; users still get no traceback.
        _report(
            LingctlError(
                f"lingctl itself failed: {type(error).__name__}: {error}",
                remedy="run it again with --debug and report what it prints",
                code="internal",
            ),
            cause=error,
        )


def _run() -> None:
    try:
        app()
    except SystemExit as end:
        # Typer turns Ctrl-C into this status before anybody else hears of it.
        if end.code == Interrupted.exit_status:
            raise Interrupted("interrupted") from None
        raise


def _report(error: LingctlError, cause: BaseException | None = None) -> NoReturn:
    if os.environ.get("LINGCTL_DEBUG"):
        import traceback

        traceback.print_exception(cause or error)
    _say(error)
    sys.exit(error.exit_status)


def _say(error: LingctlError) -> None:
    from lingctl.output.errors import print_error, print_error_document

    print_error(error)
    if "--json" in sys.argv:
        print_error_document(error)
