"""Which repositories may come to be: those of projects that exist, made by who may make them."""

from dataclasses import replace
from datetime import datetime

from atomic_registry.content.limits import require_stream
from atomic_registry.content.ports import Repository, Transaction
from atomic_registry.errors import Denied, ProjectUnknown
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Right
from atomic_registry.identity.records import Project
from atomic_registry.oci.reference import RepositoryName


class Admission:
    """Asked in the transaction that would create a repository.

    Without access control there are no projects, and every repository may be.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def check(self, tx: Transaction, actor: Actor, name: RepositoryName) -> None:
        """Return if the repository exists, or the actor may create it.

        Raises:
            ProjectUnknown: its project does not exist.
            Denied: the actor may push to what exists, and create nothing.
            QuotaExceeded: the project may have no more streams, so a push would be in vain.
        """
        if self._policy.is_open or tx.repositories.find(name) is not None:
            return
        project = name.project
        if tx.objects.find(Project, project) is None:
            raise ProjectUnknown(project=project)
        right = Right(
            verb="create",
            group="image.openshift.io",
            resource="imagestreams",
            namespace=project,
        )
        # What a registry token was made for has been checked; here the account's roles count.
        account = replace(actor, repositories=None)
        if not self._policy.grants(account, right):
            reason = self._policy.explain(account, right).text
            raise Denied(
                actor=actor.name, verb="create", resource=f"repository {name}", reason=reason
            )
        require_stream(tx, name, lock=False)

    def enter(self, tx: Transaction, name: RepositoryName, now: datetime) -> Repository:
        """Return the repository, created if need be, locked as shared.

        Raises:
            ProjectUnknown: its project does not exist, or no longer.
        """
        found = tx.repositories.find(name, lock="shared")
        if found is not None:
            return found
        # Locked, so that a deletion of the project either sees the new repository or is seen.
        if not (self._policy.is_open or tx.objects.find(Project, name.project, lock=True)):
            raise ProjectUnknown(project=name.project)
        return tx.repositories.ensure(name, now)
