"""``isoform doctor``: what works in this environment."""

import click

from isoform.cli import options
from isoform.errors import MissingDependency
from isoform.stages import doctor


@click.command(epilog="Exit code 3 if a package is missing or too old.")
@options.as_json
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show which converters and runtimes work here, and what to install for the others."""
    findings = doctor.examine()
    if as_json:
        options.print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.status:<8} {finding.kind:<10} {finding.subject:<22} {finding.detail}")
            if finding.remedy:
                click.echo(f"{'':<8} {finding.remedy}")
    if any(finding.status != "works" for finding in findings):
        context.exit(MissingDependency.exit_code)
