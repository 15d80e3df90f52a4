"""``isoform doctor``: what works in this environment."""

import click

from isoform.cli import options
from isoform.errors import MissingDependency
from isoform.isolation import Pool
from isoform.stages import doctor


@click.command(
    epilog="""\b
Examples:
  isoform doctor
  isoform doctor --json

Exit codes: 0 done, whatever is not installed; 3 where an installed package is older than the oldest version that
withstands published attacks."""
)
@options.as_json
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show versions, GPUs, ONNX Runtime's providers, which converters and runtimes work, and what to install."""
    with Pool() as pool:
        findings = doctor.examine(pool)
    if as_json:
        options.print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.status:<8} {finding.kind:<10} {finding.subject:<22} {finding.detail}")
            if finding.remedy:
                click.echo(f"{'':<8} {finding.remedy}")
    if any(finding.status == doctor.TOO_OLD for finding in findings):
        context.exit(MissingDependency.exit_code)
