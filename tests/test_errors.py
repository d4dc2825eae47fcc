"""The texts that are printed for errors."""

import pytest

from ganexp.errors import first_line


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
