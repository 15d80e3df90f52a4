"""The page on errors speaks of every kind that the source can raise, and of no other."""

from pathlib import Path

from hooks import messages

PAGE = Path(__file__).parents[3] / "docs" / "troubleshooting.md"


def test_every_kind_of_error_has_one_section_and_every_section_a_kind() -> None:
    told = messages.headings(PAGE.read_text())
    assert len(told) == len(set(told))
    assert set(told) == {message.kind for message in messages.every_message()}


def test_messages_stand_as_the_source_writes_them_with_places_for_values() -> None:
    found = {message.what: message for message in messages.every_message()}
    assert found["There is no format '…'."].hint == "One of: …."
    assert found["The source is … already."].exit_code == 2
    assert found["No converter leads from … to …."].exit_code == 4
    assert found["… needs the package '…', which is not installed."].kind == "missing-dependency"


def test_a_function_that_makes_an_error_is_followed_to_what_it_is_given() -> None:
    found = {message.what: message for message in messages.every_message()}
    assert found["…: truncated: the file is empty."].kind == "damaged"
    assert found["…: a tar archive: an ambiguous container."].kind == "ambiguous-container"


def test_the_page_gets_its_table_at_the_end_of_a_section_and_others_stay() -> None:
    page = f"{messages.MARK}\n# Errors\n\n### no-route\n\nWhy.\n\n### usage\n\nWhat.\n"
    built = messages.on_page_markdown(page)
    assert built.index("Why.") < built.index("No converter leads from … to ….") < built.index("### usage")
    assert messages.on_page_markdown("### usage\n") == "### usage\n"


def test_names_and_values_in_a_message_are_text_and_no_markup() -> None:
    assert messages.table("usage").count("'NAME:") == 0
    assert r"NAME:DTYPE\[dim,dim,...\]" in messages.table("usage")
