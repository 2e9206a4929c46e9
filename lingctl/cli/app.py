"""The ``lingctl`` command: verbs, global options, and the one place where errors become exit statuses."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from lingctl import __version__, interrupts
from lingctl.cli.manual.complete import asks_for_words, be_quiet, mend_colons, words_typed
from lingctl.cli.manual.usage import WRONG_LINE, path_error, usage_error
from lingctl.cli.manual.verb import Verb, VerbGroup
from lingctl.errors import HungUp, Interrupted, LingctlError, Terminated, UsageError
from lingctl.output.screen.streams import blurt, lost_answer, mend_streams

EPILOG = (
    "Exit status: 0 done, 1 failed, 2 usage or configuration, 3 findings or partial, "
    "4 unreachable or not logged in, 5 locked, 130 interrupted (143 by SIGTERM, 129 by SIGHUP)."
)

# In the order of the work, each in a line of `lingctl -h`, with its module under cli/, which has a function
# of the verb's name, or an ``app`` with verbs of its own.
VERBS = {
    "init": ("files.init", "Write a commented hosts.yaml to start from."),
    "models": ("weights.models", "List the Ling models: size, context, what fits."),
    "engines": ("weights.engines", "List the engines: versions, what each can do."),
    "capacity": ("weights.capacity", "Tell whether a model fits, and how long a context."),
    "config": ("files.config", "See and check hosts.yaml, without asking a node."),
    "check-network": ("network.check_network", "Check cards, links, hosts and the ways between them."),
    "download": ("weights.download", "Download weights, every byte verified."),
    "verify-weights": ("weights.verify_weights", "Check that weights are whole."),
    "convert": ("weights.convert", "Convert .bin checkpoints to safetensors."),
    "render": ("files.render", "Write or check the engine's files."),
    "patch": ("patch", "See, apply and revert the ATB overlay."),
    "npu-check": ("network.npu_check", "Compute on every card, add up over all of them."),
    "deploy": ("change.deploy", "Bring every node to what hosts.yaml asks; prove it."),
    "smoke-test": ("serve.smoke_test", "Prove that the service answers."),
    "prove": ("serve.prove", "Prove that it computes the model rightly."),
    "chat": ("serve.chat", "Talk to the service."),
    "ask": ("serve.ask", "Ask it one question, for scripts and pipes."),
    "bench": ("serve.bench", "Measure how fast it answers."),
    "batch": ("serve.batch", "Ask it all requests of a file."),
    "status": ("look.status", "Show what runs where."),
    "logs": ("look.logs", "Print what the engine prints on every node."),
    "stop": ("change.stop", "Stop the service."),
    "restart": ("change.restart", "Stop it and start it again as it is."),
    "releases": ("change.releases", "List what was deployed, and when."),
    "rollback": ("change.rollback", "Go back to an earlier release."),
    "accept": ("accept", "Prove all of it, and write a report to hand over."),
    "explain": ("look.explain", "Tell what a code means, or why a log ended."),
    "collect": ("look.collect", "Pack the evidence of a failure."),
    "export": ("files.export", "Write the service for Kubernetes."),
    "audit": ("look.audit", "Show every change made on the nodes."),
    "lock": ("change.lock", "See or release the cluster's lock."),
    "bundle": ("bundle", "Make one archive for a site without a network."),
    "sandbox": ("sandbox", "An emulated cluster to try all this on."),
    "help": ("manual.help", "Tell what a verb does, with examples."),
    "version": ("manual.help", "Print the version."),
}


_VERBOSE = "--verbose"
_AGAIN = "run the same command again: it goes on where it stopped"
_ENDED_BY: dict[int, LingctlError] = {
    signal.SIGINT: Interrupted("interrupted", remedy=_AGAIN),
    signal.SIGTERM: Terminated("ended by SIGTERM", remedy=_AGAIN),
    signal.SIGHUP: HungUp("ended by SIGHUP: its terminal is gone", remedy=_AGAIN),
}


_STILL_ENDING = (
    f"\nstill ending: what is held is given back, within {interrupts.PATIENCE_SECONDS:g} s in all\n"
)
_GAVE_UP = "\nerror: a node does not answer; a lock that is held frees itself within a minute\n"


class _InOrder(VerbGroup):
    """Lists the verbs in the order of the work; click would put groups last."""

    def list_commands(self, ctx: object) -> list[str]:
        return sorted(self.commands, key=list(VERBS).index)


app = typer.Typer(
    name="lingctl",
    cls=_InOrder,
    help="From bare Ascend servers to a tested service for the Ling models, by MindIE or vLLM.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # No colours of typer's own: the streams would write them out.
    context_settings={"help_option_names": ["-h", "--help"], "color": False},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lingctl {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Say every command that is sent to a node; behind the verb too."),
    ] = False,
) -> None:
    if debug:
        os.environ["LINGCTL_DEBUG"] = "1"
    if verbose:
        from lingctl.output.commands_sent import show_what_is_sent

        show_what_is_sent()


def _verbose_first(words: Sequence[str]) -> list[str]:
    """The words with --verbose where it is an option of all verbs: whoever wants it adds it at the end."""
    end = words.index("--") if "--" in words else len(words)
    if _VERBOSE not in words[:end]:
        return list(words)
    return [_VERBOSE, *(word for word in words[:end] if word != _VERBOSE), *words[end:]]


def register_verbs(words: Sequence[str] = ()) -> None:
    """Add the verb that was typed, or every verb: a function as a command, a sub-application as a group.

    Reading the options of all verbs takes longer than many of them run.
    """
    typed = [word for word in words if not word.startswith("-")][:2]
    # Who asks for help on a verb gets that verb too.
    wanted = typed[:1] if typed[:1] != ["help"] or len(typed) < 2 else typed
    for verb, (place, meaning) in VERBS.items():
        if verb not in wanted and wanted and set(wanted) <= set(VERBS) and typed != ["help"]:
            continue
        module = importlib.import_module(f"lingctl.cli.{place}")
        group = getattr(module, "app", None)
        if group is None:
            app.command(verb, cls=Verb, short_help=meaning)(getattr(module, verb.replace("-", "_")))
        else:
            for inner in group.registered_commands:
                inner.cls = Verb
            app.add_typer(group, cls=VerbGroup, name=verb, short_help=meaning)


def main() -> None:
    """Run the command line and exit."""
    mend_streams()
    interrupts.listen(partial(blurt, _STILL_ENDING), partial(blurt, _GAVE_UP))
    threading.excepthook = of_a_thread
    status = _run()
    number = interrupts.received()
    if number is None:
        interrupts.stop_listening()
    else:
        status = _interrupted(number)
    sys.stdout.flush()
    if (lost := lost_answer()) and not status:
        status = _say(_lost(lost))
    sys.stderr.flush()
    if number is not None:
        os._exit(status)  # threads may still wait for a silent host; nobody waits for them
    sys.exit(status)


def _interrupted(number: int) -> int:
    if not number:
        return 0
    error = _ENDED_BY[number]
    if not interrupts.expected():
        return _say(error)
    if sys.stderr.isatty():
        sys.stderr.write("\n")  # the terminal shows ^C where the last line ended
    return error.exit_status


def of_a_thread(failed: threading.ExceptHookArgs) -> None:
    """What a thread ended with: whoever waits for its answer misses it; the traceback is for --debug."""
    if os.environ.get("LINGCTL_DEBUG"):
        threading.__excepthook__(failed)


def _lost(trouble: OSError) -> LingctlError:
    return LingctlError(
        f"the answer could not be written to standard output: {trouble.strerror}", code="answer-lost"
    )


def _run() -> int:
    """The exit status of what was typed; every error is told."""
    try:
        if asks_for_words():
            return _complete()
        register_verbs(sys.argv[1:])
        sys.argv[1:] = _verbose_first(sys.argv[1:])
        # Typer turns an Exit, and Ctrl-C, into a status before anybody else hears of it.
        status = app(standalone_mode=False)
        return status if isinstance(status, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except typer.Abort:
        return 1
    except WRONG_LINE as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            return UsageError.exit_status
        return _report(usage_error(error, sys.argv[1:]))
    except KeyboardInterrupt:
        return Interrupted.exit_status
    except LingctlError as error:
        return _report(error)
    except Exception as error:  # Anything else is a defect of lingctl; users still get no traceback.
        return _report(
            path_error(error, sys.argv[1:])
            or LingctlError(f"lingctl itself failed: {type(error).__name__}: {error}", code="internal"),
            cause=error,
        )
    return 0


def _complete() -> int:
    """Tell a shell what could stand where Tab was pressed; trouble is no word of."""
    be_quiet()
    with suppress(Exception, SystemExit):
        mend_colons()
        register_verbs(words_typed())
        app()
    return 0


def _report(error: LingctlError, cause: BaseException | None = None) -> int:
    if os.environ.get("LINGCTL_DEBUG"):
        import traceback

        traceback.print_exception(cause or error)
    if interrupts.received() is not None:
        return error.exit_status  # a consequence, and no cause
    return _say(error)


def _say(error: LingctlError) -> int:
    from lingctl.output.documents import document_printed
    from lingctl.output.errors import print_error, print_error_document

    print_error(error)
    if "--json" in sys.argv and not document_printed():
        print_error_document(error)
    return error.exit_status
