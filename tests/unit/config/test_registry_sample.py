"""The sample of `config.yml` can be used as it is, and with every line of it in force."""

import re
from pathlib import Path

from atomic_registry.config.original import read_original
from atomic_registry.config.registry_keys import KEYS
from atomic_registry.config.registry_sample import render_registry_sample


def test_the_sample_sets_nothing_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(render_registry_sample())
    found = read_original({}, path)
    assert (found.mistakes, found.ignored, found.file) == ((), (), ())


def test_each_line_of_the_sample_holds_and_no_option_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    text = re.sub(r"(?m)^( *)# ([a-z]+: )", r"\1\2", render_registry_sample())
    path.write_text(text)
    found = read_original({}, path)
    assert (found.mistakes, found.ignored) == ((), ())
    every = {option for key in KEYS.values() for option in key.sets or ()}
    assert {option.key for option, _, _ in found.file} == every
