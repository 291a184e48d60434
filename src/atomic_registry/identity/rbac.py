"""The policy by roles and bindings. Whatever no rule grants is refused."""

from collections.abc import Sequence
from dataclasses import replace

from atomic_registry.identity.actors import MASTERS, Actor
from atomic_registry.identity.directory import Binding, Directory
from atomic_registry.identity.oauth_scopes import allows_scope, narrow_rules
from atomic_registry.identity.policy import Reason, Right, Verb, rights_of
from atomic_registry.identity.records import ClusterRole, PolicyRule, RoleReference
from atomic_registry.identity.roles import EVERYTHING
from atomic_registry.identity.rules import covers, missing_rights
from atomic_registry.oci.reference import RepositoryName

_MAX_CACHED = 50_000
_MAY_MAKE_PROJECTS = Right(verb="create", group="project.openshift.io", resource="projectrequests")
# Not stored, so that nothing which is deleted or edited locks the holder of the authority out.
_OF_MASTERS = Binding(
    namespace="",
    name=MASTERS,
    role=RoleReference(kind=ClusterRole.kind, name="cluster-admin"),
    subjects=(f"Group:{MASTERS}",),
)


class RbacPolicy:
    """Implements `Policy` on a directory."""

    is_open = False

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._cache: dict[object, bool] = {}
        self._cached_version = -1

    def allowed(self, actor: Actor, verb: Verb, repository: RepositoryName | None) -> bool:
        if repository is not None and actor.repositories is not None:
            granted = actor.repositories.get(repository.value, frozenset())
            if verb.value not in granted:
                return False
        key = (actor.name, actor.uid, actor.groups, actor.scopes, verb, repository)
        cache = self._fresh_cache()
        answer = cache.get(key)
        if answer is None:
            rights = rights_of(verb, repository)
            answer = all(self._decide(actor, right) is not None for right in rights)
            cache[key] = answer
        return answer

    def grants(self, actor: Actor, right: Right) -> bool:
        if actor.repositories is not None:
            # A registry token is good for repositories only.
            return False
        key = (actor.name, actor.uid, actor.groups, actor.scopes, right)
        cache = self._fresh_cache()
        answer = cache.get(key)
        if answer is None:
            answer = cache[key] = self._decide(actor, right) is not None
        return answer

    def explain(self, actor: Actor, right: Right) -> Reason:
        if not self.directory.is_current(actor):
            return Reason(granted=False, text=f"the account {actor.name} is gone or disabled")
        binding = self._decide(actor, right)
        if binding is _OF_MASTERS:
            text = f"members of the group {MASTERS} may do everything, whatever the roles say"
            return Reason(granted=True, text=text)
        if binding is not None:
            where = f"in project {binding.namespace}" if binding.namespace else "everywhere"
            return Reason(
                granted=True,
                text=f"binding {binding.name} gives {actor.name} the role {binding.role.name} "
                f"{where}",
                binding=binding.name,
                role=binding.role.name,
            )
        if actor.scopes is not None and self._decide(replace(actor, scopes=None), right):
            return Reason(granted=False, text=f"the token's scopes leave out: {right}")
        text = f"no role of {actor.name} or its groups gives the right to {right}"
        if right.namespace and right.namespace not in self.directory.projects:
            text = self._explain_no_project(actor, right.namespace) or text
        return Reason(granted=False, text=text)

    def _explain_no_project(self, actor: Actor, project: str) -> str:
        """Say how to make the project, to those who could find out by making it."""
        account = replace(actor, repositories=None)
        if self._decide(account, _MAY_MAKE_PROJECTS) is None:
            return ""
        return (
            f"project {project} does not exist; make it first: "
            f"atomic-registry new-project {project}"
        )

    def who_can(self, right: Right) -> tuple[list[str], list[str]]:
        """Return the users and the groups that have the right."""
        users: set[str] = set()
        groups = {MASTERS}
        for binding in self.directory.bindings_in(right.namespace):
            if any(covers(rule, right) for rule in self.directory.rules_of(binding)):
                for subject in binding.subjects:
                    kind, _, name = subject.partition(":")
                    (users if kind == "User" else groups).add(name)
        return sorted(users), sorted(groups)

    def rules_of(self, actor: Actor, namespace: str) -> list[PolicyRule]:
        """Return every rule that holds for the actor in the namespace, as its token leaves it."""
        held = self._held_rules(actor, namespace)
        if actor.repositories is not None:
            return []
        if actor.scopes is None:
            return held
        return narrow_rules(actor.scopes, held, namespace, self.directory.role_rules, actor.name)

    def _held_rules(self, actor: Actor, namespace: str) -> list[PolicyRule]:
        if not self.directory.is_current(actor):
            return []
        if MASTERS in actor.groups:
            return list(EVERYTHING)
        found = dict.fromkeys(
            rule
            for binding in self.directory.bindings_of(actor, namespace)
            for rule in self.directory.rules_of(binding)
        )
        return list(found)

    def may_grant(self, actor: Actor, namespace: str, rules: Sequence[PolicyRule]) -> list[Right]:
        """Return which rights of the rules the actor lacks: nobody grants more than they hold."""
        held = self._held_rules(actor, namespace)
        missing = missing_rights(held, rules)
        if actor.scopes is not None and not missing:
            asked = missing_rights([], rules)
            missing = [
                right
                for right in asked
                if self._decide(actor, replace(right, namespace=namespace)) is None
            ]
        return missing

    def _decide(self, actor: Actor, right: Right) -> Binding | None:
        directory = self.directory
        if not directory.is_current(actor):
            return None
        if actor.scopes is not None and not allows_scope(
            actor.scopes, right, directory.role_rules, actor.name
        ):
            return None
        if MASTERS in actor.groups:
            return _OF_MASTERS
        for binding in directory.bindings_of(actor, right.namespace):
            if any(covers(rule, right) for rule in directory.rules_of(binding)):
                return binding
        return None

    def _fresh_cache(self) -> dict[object, bool]:
        version = self.directory.version
        if version != self._cached_version or len(self._cache) >= _MAX_CACHED:
            self._cache = {}
            self._cached_version = version
        return self._cache
