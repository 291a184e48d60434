"""What container clients ask registry tokens for; crafted scopes never widen."""

import pytest

from atomic_registry.identity.policy import Verb
from atomic_registry.identity.scopes import parse_scopes


def parsed(*texts: str) -> dict[str, set[str]]:
    return {
        scope.repository.value: {verb.value for verb in scope.actions}
        for scope in parse_scopes(texts)
    }


def test_scopes_of_one_repository_are_joined_in_whatever_form_they_come() -> None:
    expected = {"demo/app": {"pull", "push"}, "demo/base": {"pull"}}
    assert expected == parsed(
        "repository:demo/app:pull repository:demo/base:pull", "repository:demo/app:push"
    )
    assert expected == parsed("repository:demo/app:pull,push", "repository:demo/base:pull")


def test_a_star_means_everything_that_can_be_done_to_the_repository() -> None:
    assert {"demo/app": {Verb.PULL, Verb.PUSH, Verb.DELETE}} == parsed("repository:demo/app:*")


@pytest.mark.parametrize(
    "text",
    [
        "repository:demo/app:pull,push:pull",
        "repository:../demo/app:pull",
        "repository:demo/App:pull",
        "repository:démo/app:pull",
        "repository:demo:pull",
        "repository:demo/app",
        "registry:catalog:*",
        "repository:demo/%61pp:pull",
        "repository::pull",
        ":",
        "",
    ],
)
def test_a_crafted_scope_names_no_repository(text: str) -> None:
    assert parsed(text) == {}


def test_an_unknown_action_is_left_out() -> None:
    assert {"demo/app": {"pull"}} == parsed("repository:demo/app:pull,sudo,PUSH")


def test_a_flood_of_scopes_is_cut_off() -> None:
    texts = [f"repository:demo/app{number}:pull" for number in range(5000)]
    assert len(parse_scopes(texts)) == 100
