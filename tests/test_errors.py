"""The texts that are printed for errors."""

import pytest

from ganexp.errors import MAX_LINES, explain_unforeseen, first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one.\ntwo."), "one."),
        (ValueError("\n  one  \ntwo"), "one  "),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_first_line_is_the_class_if_there_is_no_message(error, line):
    assert first_line(error) == line


@pytest.mark.parametrize("others", [0, 1, 7])
def test_long_error_says_how_many_lines_are_left_out(others):
    text = explain_unforeseen(ValueError("\n".join(map(str, range(MAX_LINES + others)))))
    assert (f"(lines left out: {others})" in text) == (others > 0)
    assert text.splitlines()[MAX_LINES - 1] == str(MAX_LINES - 1)
