"""``isoform attest``: state what was proved of an artifact, for others to check."""

from pathlib import Path

import click

from isoform.cli import artifacts, options


@click.command(
    epilog="""\b
Examples:
  isoform attest exports/mlp/torch/onnx
  isoform attest exports --key key.pem
  isoform verify --attestation exports/mlp/torch/onnx/attestation.json --public-key key.pub

Exit codes: 0 attested, 1 an artifact does not pass, 2 the key cannot be used, 3 something to install."""
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sign with this private key (PEM, elliptic curve): pip install 'isoform[sign]'.",
)  # fmt: skip
@options.as_json
def command(paths: tuple[Path, ...], key: Path | None, as_json: bool) -> None:
    """Verify the artifacts at or below PATHS and write attestation.json into each.

    It is an in-toto statement with a verification summary of SLSA: digests of every file and of the source, the
    converters and their versions, verdict and figures. With a key, attestation.sig beside it signs the folder and the
    statement, as OpenSSF model-signing does.
    """
    from isoform.cli.console import Display, printable
    from isoform.isolation import Pool
    from isoform.stages.attest import attest

    written = []
    with Display() as display, Pool() as pool:
        for folder in artifacts.folders(paths):
            display.step(str(folder), "verifying")
            written.append(attest(folder, key, pool))
            display.settle(is_told=False)
            _, colour = display.sign("PASS")
            text = "attested and signed" if key else "attested, not signed"
            display.console.print(f"{display.sign('PASS')[0]} {printable(str(written[-1]))}: {text}", style=colour)
    if as_json:
        options.print_json({"attestations": [str(path) for path in written], "signed": key is not None})
