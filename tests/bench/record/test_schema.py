"""A record's line carries its own digest, and reads back as it was."""

from __future__ import annotations

import json
import random

import pytest
from record_helpers import make_record

from bench.record.schema import seal, unseal


def test_a_line_reads_back_as_the_record_that_was_sealed() -> None:
    record = make_record()
    again = unseal(seal(record))
    assert again.model_copy(update={"line_sha256": ""}) == record
    assert seal(again) == seal(record)


def test_any_changed_digit_is_found() -> None:
    line = seal(make_record())
    digits = [i for i, letter in enumerate(line) if letter.isdigit()]
    chooser = random.Random(0)
    for place in chooser.sample(digits, 100):
        other = str((int(line[place]) + 1) % 10)
        with pytest.raises(ValueError, match=r"digest differs|schema version|Expecting|Invalid"):
            unseal(line[:place] + other + line[place + 1 :])


def test_a_record_of_another_schema_is_refused_by_its_number() -> None:
    from bench.record.schema import line_digest

    fields = json.loads(seal(make_record()))
    fields["schema_version"] = 99
    fields["line_sha256"] = line_digest(fields)
    with pytest.raises(ValueError, match="schema version 99; this bench reads 1"):
        unseal(json.dumps(fields))


def test_a_cut_line_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        unseal(seal(make_record())[:-20])
