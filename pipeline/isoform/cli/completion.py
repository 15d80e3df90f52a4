"""``isoform completion``: what makes a shell complete commands, options, formats, runtimes and converters."""

import click
from click.shell_completion import get_completion_class

from isoform.cli.usage import Word

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_ISOFORM_COMPLETE"


@click.command(
    epilog="""\b
Examples:
  isoform completion bash >> ~/.bashrc
  isoform completion zsh  >> ~/.zshrc
  isoform completion fish  > ~/.config/fish/completions/isoform.fish"""
)
@click.argument("shell", type=Word(_SHELLS))
def command(shell: str) -> None:
    """Print the script that makes SHELL, one of bash, zsh and fish, complete the words of isoform."""
    from isoform.cli import group

    completion = get_completion_class(shell)
    assert completion is not None, "click has a class for each of these shells"
    click.echo(completion(group, {}, "isoform", _VARIABLE).source())
