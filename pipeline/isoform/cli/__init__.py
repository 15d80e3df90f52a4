"""The command line: parse, call a stage, print. No logic lives here, and no framework is ever imported.

To add a command: one file in this folder with a click command called ``command``, and a row in `COMMANDS`.
"""

import atexit
import importlib
import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from isoform.core import spelling
from isoform.errors import INTERNAL_ERROR, INTERRUPTED, IsoformError, UsageError, of_system

COMMANDS = {
    "train": "Train reference models, or resume their training.",
    "export": "Export models with a manifest: train where needed, convert, prove.",
    "convert": "Convert one checkpoint or model file to other formats, and prove the result.",
    "verify": "Prove again that artifacts compute the same function as their source.",
    "attest": "State what was proved of artifacts, signed, for others to check.",
    "bench": "Measure load time, latency, memory and size of artifacts.",
    "compare": "Measure PyTorch against TensorFlow: training, inference, memory, deployment.",
    "serve": "Answer inference requests over HTTP with an artifact.",
    "package": "Write artifacts as Triton, TensorFlow Serving or KServe want them.",
    "report": "Write one page with everything that was exported, proved and measured.",
    "inspect": "Show what a file or an artifact holds, or which operators a target carries.",
    "routes": "Show the ranked routes from one format to another.",
    "cache": "List, check and prune a store of results.",
    "doctor": "Show versions, and which converters and runtimes work in this environment.",
    "completion": "Print what makes a shell complete commands, options and their words.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that ``--help`` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UsageError(f"There is no command '{args[0]}'.", spelling.hint(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"isoform.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 parity or budget failed, 2 usage, 3 something to install, 4 a conversion, load or "
    "run failed, 70 a bug of ours.",
)
@click.version_option(package_name="isoform", prog_name="isoform")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def group(debug: bool) -> None:
    """One model, every format, the same numbers.

    \b
    isoform export models/mlp                     train, export to four formats, prove all of them
    isoform convert model.onnx --to tflite        convert a model of your own
    isoform verify exports/mlp/torch/onnx         prove an artifact again, on any machine
    """
    os.environ["ISOFORM_DEBUG"] = "1" if debug else ""


def main() -> None:
    """Run the command line; the exit code is the one documented in isoform.errors."""
    signal.signal(signal.SIGTERM, _on_terminate)
    for number in (signal.SIGINT, signal.SIGTERM):  # an interpreter on its way out has no handlers, and would be killed
        atexit.register(signal.signal, number, signal.SIG_IGN)
    try:
        code = group.main(prog_name="isoform", standalone_mode=False)
    except SystemExit as ended:
        code = ended.code
    except click.exceptions.NoArgsIsHelpError as asked:
        _say(asked.ctx.get_help() if asked.ctx else "")
        code = UsageError.exit_code
    except click.UsageError as error:
        from isoform.cli.usage import told

        code = _fail(told(error))
    except (KeyboardInterrupt, click.Abort):
        _say("Interrupted. Finished results are kept; the same command goes on from there.")
        code = INTERRUPTED
    except IsoformError as error:
        code = _fail(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        code = _fail(of_system(error))
    except Exception as error:  # noqa: BLE001 - the last border: a bug becomes one line and exit code 70
        from isoform.cli.console import printable

        what = printable(f"{type(error).__name__}: {error}")
        _say(f"Internal error: {what}\nhint: run it again with --debug and report the output.")
        _show_traceback_if_asked()
        code = INTERNAL_ERROR
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: IsoformError) -> int:
    """Print what happened and what to do, and return the exit code."""
    from isoform.cli.console import printable

    _say(f"Error: {printable(error.what)}\nhint: {printable(error.hint)}")
    _show_traceback_if_asked()
    return error.exit_code


def _on_terminate(number: int, frame: FrameType | None) -> Any:
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show_traceback_if_asked() -> None:
    if os.environ.get("ISOFORM_DEBUG"):
        import traceback

        traceback.print_exc()
