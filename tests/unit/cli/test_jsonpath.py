"""Templates of JSONPath; tests/system compares the same ones with kubectl."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.cli.objects.jsonpath import parse_path, parse_template
from atomic_registry.cli.objects.jsonpath_parts import TemplateInvalid
from atomic_registry.cli.objects.jsonpath_values import fill, values_at

DOCUMENT = {
    "kind": "List",
    "items": [
        {"metadata": {"name": "a", "labels": {"tier": "web"}}, "size": 1, "ok": True},
        {"metadata": {"name": "b", "annotations": {"x.y/z": "dotted"}}, "size": 2, "ok": False},
        {"metadata": {"name": "c"}, "size": 3, "tags": [{"tag": "v1"}, {"tag": "v2"}]},
    ],
}
FILLED = {
    "": "",
    "plain": "plain",
    "a}b": "a}b",
    "text {.kind} more": "text List more",
    "{.kind}{'-'}{.kind}": "List-List",
    "{$.kind}{@.kind}": "ListList",
    "{.items[*].metadata.name}": "a b c",
    "{.items[0].metadata.name}": "a",
    "{.items[-1].metadata.name}": "c",
    "{.items[0:2].metadata.name}": "a b",
    "{.items[::2].metadata.name}": "a c",
    "{.items[0,2].metadata.name}": "a c",
    "{.items[*].metadata['name','labels.tier']}": "a b c web",
    "{.items[*]['metadata.name', 'size']}": "a b c 1 2 3",
    r"{.items[1].metadata.annotations.x\.y/z}": "dotted",
    r"{.items[1].metadata.annotations['x\.y/z']}": "dotted",
    "{.items[0].metadata.labels}": '{"tier":"web"}',
    "{.items[*].ok}": "true false",
    "{..tag}": "v1 v2",
    "{.items[?(@.size>1)].metadata.name}": "b c",
    "{.items[?(@.size>=2)].size}": "2 3",
    "{.items[?(@.size<2)].size}": "1",
    "{.items[?(@.size!=2)].size}": "1 3",
    '{.items[?(@.metadata.name=="b")].size}': "2",
    "{.items[?(@.metadata.labels.tier)].size}": "1",
    "{.items[?(@.ok==true)].size}": "1",
    "{.items[2].tags[?(@.tag=='v2')].tag}": "v2",
    '{range .items[*]}{.metadata.name}{"\\t"}{.size}{"\\n"}{end}': "a\t1\nb\t2\nc\t3\n",
    "{range .items[*]}{range .tags[*]}{.tag},{end}|{end}": "||v1,v2,|",
    "{.nothing.here}": "",
    "{.items[9:].size}": "",
}
WRONG = [
    "{",
    "{.items[",
    "{.items[0}",
    "{foo}",
    "{end}",
    "{range .items[*]}",
    "{.items[abc]}",
    "{.items[]}",
    "{.items[1:2:0]}",
    "{.items[?(@.a==)]}",
    "{'open}",
    "{.a[" * 40,
    "{range .a}" * 40,
]
UNFIT = [
    "{.items[9].size}",
    "{.items[?(@.size=='1')].size}",
    "{.items[?(@.ok>true)].size}",
    "{.items[2][?(@..tag=='v1')]}",
]


@pytest.mark.parametrize(("template", "text"), FILLED.items())
def test_a_template_is_filled_in(template: str, text: str) -> None:
    assert text == fill(parse_template(template), DOCUMENT)


@pytest.mark.parametrize("template", WRONG)
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(TemplateInvalid):
        parse_template(template)


@pytest.mark.parametrize("template", UNFIT)
def test_a_comparison_or_an_index_that_does_not_fit_is_an_error(template: str) -> None:
    with pytest.raises(TemplateInvalid):
        fill(
            parse_template(template),
            {"items": [*DOCUMENT["items"][:2], [{"a": [{"tag": "v1"}, {"tag": "v1"}]}]]},
        )


@pytest.mark.parametrize("text", [".metadata.name", "metadata.name", "{.metadata.name}"])
def test_a_path_by_itself_may_leave_out_what_is_round_it(text: str) -> None:
    assert ["a"] == values_at(parse_path(text), DOCUMENT["items"][0])


@given(st.text(alphabet="{}[]()?@.*:,'\"\\ abrnged019=<>$-", max_size=40))
def test_no_template_does_worse_than_being_refused(template: str) -> None:
    with contextlib.suppress(TemplateInvalid):
        fill(parse_template(template), DOCUMENT)
