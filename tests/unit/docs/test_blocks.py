"""What a page asks to be done is found, wherever it stands."""

import pytest

from docs.blocks import Block, Command, blocks, commands

FENCE = "```"


def page(*parts: str) -> str:
    return "\n".join(parts).replace("~~~", FENCE)


def test_blocks_come_in_order_with_language_title_and_line() -> None:
    found = blocks(page("# A", "~~~sh", "ls", "~~~", "", '~~~python title="net.py"', "x = 1", "", "y = 2", "~~~"))
    assert found == [Block("sh", "", "ls", 3), Block("python", "net.py", "x = 1\n\ny = 2", 7)]


def test_a_block_in_a_list_or_tab_loses_the_indentation_around_it() -> None:
    found = blocks(page('=== "Keras"', "", "    ~~~python", "    if x:", "        y()", "    ~~~"))
    assert [block.text for block in found] == ["if x:\n    y()"]


def test_a_block_in_a_comment_counts() -> None:
    assert len(blocks(page("<!--", "~~~python", "prepare()", "~~~", "-->"))) == 1


def test_inline_code_between_three_ticks_opens_nothing() -> None:
    assert blocks(page("~~~not a block~~~ in a line")) == []


def test_a_block_that_is_never_closed_is_an_error() -> None:
    with pytest.raises(ValueError, match="opens on line 2"):
        blocks(page("text", "~~~sh", "ls"))


def console(text: str) -> list[Command]:
    return commands(Block("console", "", text, 10))


def test_a_console_pairs_each_command_with_what_it_prints() -> None:
    assert console("$ one\nfirst\n\nmore\n$ two") == [Command("one", "first\n\nmore\n", 10), Command("two", "", 14)]


def test_a_command_goes_on_behind_a_backslash() -> None:
    assert console("$ one \\\n  --two\nprinted") == [Command("one \\\n  --two", "printed\n", 10)]


def test_output_that_ends_in_a_backslash_continues_no_command() -> None:
    assert console("$ one\nC:\\\nmore") == [Command("one", "C:\\\nmore\n", 10)]


def test_asking_for_the_exit_code_belongs_to_the_command_before() -> None:
    assert console("$ one\nError: no\n$ echo $?\n4") == [Command("one\necho $?", "Error: no\n4\n", 10)]


def test_output_before_any_command_is_an_error() -> None:
    with pytest.raises(ValueError, match="Line 10 shows output"):
        console("printed\n$ one")
