"""``isoform convert``: one checkpoint or model file to other formats."""

from pathlib import Path

import click

from isoform.cli import options, plans, results, stores
from isoform.cli.console import Display
from isoform.cli.sections import Sectioned
from isoform.cli.usage import Word
from isoform.core import profiles
from isoform.core.layout import CHOICES, KEEP
from isoform.core.precision import FP32
from isoform.core.signature import TensorSpec
from isoform.errors import UsageError
from isoform.isolation import Pool
from isoform.stages.convert import ConvertRequest, convert, plan

_NOT_AGAIN = ("targets", "precisions", "force", "as_json", "is_dry", "workers", "scheduler", "store")
"""Options that the command of one artifact alone says anew, or not at all."""
_OF_BATCHES = ("jobs", "out", "workers", "scheduler", "no_verify", "is_dry", "force", "as_json", "store")


@click.command(
    cls=Sectioned,
    sections={
        "What the source is": (
            "--arch", "--arch-arg", "--input", "--signature", "--allow-pickle", "--allow-nonfinite",
        ),
        "What is written": ("--to", "--precision", "--out", "--name", "--io-layout", "--profile"),
        "How, and how it is proved": ("--via", "--avoid", "--cases", "--no-verify"),
        "Many at once": ("--batch", "--workers", "--scheduler"),
    },
    epilog="""\b
Examples:
  isoform convert                                      what is in this folder, and what to type
  isoform convert model.onnx --to tflite,savedmodel
  isoform convert model.onnx --to tflite --dry-run     what would be done
  isoform convert model.onnx --to onnx,tflite --precision fp32,fp16
  isoform convert weights.safetensors --arch net.py:build --input 'image:float32[batch,3,32,32]' --to onnx
  isoform convert model.keras --to onnx,torchscript --cases inputs.npz
  isoform convert saved_model --to onnx --signature encode
  isoform convert model.onnx --to tflite --input 'image:float32[n,3,224,224]:NCHW' --io-layout nhwc
  isoform convert model.onnx --to tflite --precision int8 --profile microcontroller
  isoform convert --batch jobs.toml                    many sources, each with its own options
  isoform convert --batch jobs.toml --scheduler tcp://head:8786    on a Dask cluster

Exit codes: 0 done, 1 the numbers differ or the profile refuses something, 2 the command has to be changed,
3 something to install, 4 a conversion, load or run failed.""",
)  # fmt: skip
@click.argument("source", required=False, type=click.Path(path_type=Path))
@options.to
@options.precision
@options.out
@click.option("--name", help="What to call the model; default: the name of the file.")
@click.option("--arch", metavar="FILE_OR_MODULE:CALLABLE", help="What builds the network, for weights-only files.")
@click.option("--arch-arg", "arch_arguments", multiple=True, metavar="KEY=VALUE", help="Passed to --arch; repeatable.")
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME:DTYPE[DIM,...]",
    help="An input, a word for a dynamic dimension: 'image:float32[batch,3,224,224]'; integers with their range: "
    "'ids:int64[batch,length]:0..29999'; repeatable.",
)  # fmt: skip
@click.option(
    "--signature", metavar="NAME",
    help="Which one of a SavedModel or TFLite file; default: serving_default, or the only one there is.",
)  # fmt: skip
@click.option("--cases", type=click.Path(path_type=Path, exists=True), help="An npz of your own inputs to verify with.")
@options.via
@options.avoid
@click.option(
    "--io-layout", type=Word(CHOICES), default=KEEP, show_default=True,
    help="The axes of images on the outside; an input has to say its own: 'image:float32[batch,3,224,224]:NCHW'.",
)  # fmt: skip
@options.profile
@click.option(
    "--allow-pickle", is_flag=True,
    help="Let a PyTorch checkpoint run the code in it, in a child process: only if you trust who made it.",
)  # fmt: skip
@click.option("--allow-nonfinite", is_flag=True, help="Convert although weights hold NaN or infinities.")
@click.option("--no-verify", is_flag=True, help="Do not run the result; it is then marked as not verified.")
@click.option(
    "--batch", "jobs", metavar="FILE", type=click.Path(path_type=Path),
    help="Do what this TOML file says: [defaults] and [[jobs]] with source, to and other options of convert.",
)  # fmt: skip
@options.workers
@options.scheduler
@plans.option
@options.store
@options.force
@options.as_json
@click.pass_context
def command(
    context: click.Context,
    source: Path | None,
    targets: str | None,
    precisions: str | None,
    out: Path,
    name: str | None,
    arch: str | None,
    arch_arguments: tuple[str, ...],
    inputs: tuple[str, ...],
    signature: str | None,
    cases: Path | None,
    via: str | None,
    avoid: tuple[str, ...],
    io_layout: str,
    profile: str | None,
    allow_pickle: bool,
    allow_nonfinite: bool,
    no_verify: bool,
    jobs: Path | None,
    workers: int,
    scheduler: str | None,
    is_dry: bool,
    store: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Convert SOURCE to other formats, and prove on each one's runtime that it computes the same function.

    SOURCE is a file or folder: PyTorch weights, Keras, ONNX, TorchScript, PT2, SavedModel, TFLite, or a folder as model
    hubs hold them. What it is is told by its content. Nothing of it runs outside of a child process.
    """
    if jobs is not None:
        from isoform.cli import batches, clusters

        batches.refuse_others(context, _OF_BATCHES)
        context.exit(
            batches.run(
                jobs,
                out,
                workers=workers,
                cluster=clusters.where(context),
                is_forced=force,
                is_verified=not no_verify,
                is_dry=is_dry,
                as_json=as_json,
                cache=stores.opened(store),
            )
        )
    if scheduler is not None:
        raise UsageError("--scheduler goes with --batch.", "One conversion is one task: leave it out.")
    if source is None:
        from isoform.cli import survey

        context.exit(survey.show(Path("."), as_json))
    request = ConvertRequest(
        source=source,
        formats=options.listed(targets, ()),
        out=out,
        reproduce=options.typed_again(context, "--to {format}{precision}", without=_NOT_AGAIN),
        name=name,
        arch=arch,
        arch_arguments=options.key_values(arch_arguments, "--arch-arg"),
        inputs=[TensorSpec.parse(text) for text in inputs],
        signature=signature,
        cases=cases,
        via=via,
        avoid=avoid,
        io_layout=io_layout,
        allow_pickle=allow_pickle,
        allow_nonfinite=allow_nonfinite,
        is_verified=not no_verify,
        is_forced=force,
        precisions=options.listed(precisions, (FP32,)),
        profile=profiles.lookup(profile) if profile is not None else None,
        cache=stores.opened(store),
    )
    if is_dry:
        context.exit(_show_plan(request, as_json))
    with Display(subject_width=12) as display, Pool(out / ".logs") as pool:
        found = convert(request, pool, lambda subject, text: display.step(subject or "source", text))
        document = {"source": str(source), "results": [result.to_json() for result in found]}
        results.end(context, found, document, as_json, display)


def _show_plan(request: ConvertRequest, as_json: bool) -> int:
    container, outlook = plan(request)
    if as_json:
        rows = [item.to_json() for item in outlook]
        options.print_json({"source": str(request.source), "format": container.format, "plan": rows})
    else:
        plans.show_outlook(f"{request.source}: {container.title}", outlook)
    return plans.exit_code(outlook)
