"""What log lines look like."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.kit.bodies import BytesBody

from atomic_registry.clock import SystemClock
from atomic_registry.web.logs import AccessLog, LogFormat, LogStyle, configure_logging
from atomic_registry.web.messages import Query, Request


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _line(form: LogFormat, **fields: str) -> str:
    stream = io.StringIO()
    configure_logging(stream=stream, style=LogStyle(format=form, fields=fields))
    logging.getLogger("some").warning("happened")
    return stream.getvalue()


def _access_line(style: LogStyle) -> str:
    stream = io.StringIO()
    configure_logging(stream=stream, style=style)
    request = Request(
        method="GET", path="/v2/", query=Query([]), headers={}, body=BytesBody(b""), id="1"
    )
    log = AccessLog(SystemClock(), stream=stream, style=style)
    log.write(request, 200, "/v2/", 0, 2, 0.1)
    return stream.getvalue()


def test_fields_of_the_administrator_stand_in_each_line_and_hide_none_of_its_own() -> None:
    line = json.loads(_line("json", site="north", event="mine", level="none"))
    assert (line["site"], line["event"], line["level"]) == ("north", "happened", "warning")
    access = json.loads(_access_line(LogStyle(fields={"site": "north", "status": "0"})))
    assert (access["site"], access["status"]) == ("north", 200)


def test_lines_for_logstash_have_its_names() -> None:
    for text in (_line("logstash"), _access_line(LogStyle(format="logstash"))):
        line = json.loads(text)
        assert {"@timestamp", "@version", "message", "level"} <= set(line)
        assert not {"timestamp", "event"} & set(line)


def test_lines_for_people_are_no_json_and_have_no_colours_in_a_file() -> None:
    for text in (_line("text"), _access_line(LogStyle(format="text"))):
        assert not text.startswith("{")
        assert "\x1b" not in text
