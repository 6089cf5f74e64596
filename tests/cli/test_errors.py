import pytest

from frido.cli.errors import door
from frido.contracts.errors import FridoError


def raising(error: BaseException):
    @door
    def main(argv=None) -> int:
        raise error

    return main


def test_bad_input_is_printed_in_four_parts(capsys):
    assert raising(FridoError("size.batch", got=0, wanted="1 or more", do="size.batch=8"))() == 2
    assert capsys.readouterr().err == ("error: size.batch\n  got:    0\n  wanted: 1 or more\n  do:     size.batch=8\n")


def test_terminal_gets_the_same_words_in_colour(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert raising(FridoError("[size]", got="[red]", wanted="w", do="d"))() == 2
    printed = capsys.readouterr().err
    assert all(word in printed for word in ("[size]", "[red]", "wanted:", "do:"))


def test_interruption(capsys):
    assert raising(KeyboardInterrupt())() == 130


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())()


def test_result_and_arguments_pass_through():
    @door
    def main(argv=None) -> int:
        return len(argv)

    assert main(["a", "b"]) == 2
