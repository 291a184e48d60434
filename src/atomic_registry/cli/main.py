"""The command `atomic-registry`; a subcommand is imported only when it is named or listed."""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import click

from atomic_registry import __version__

# Shells set it to ask what may come next; `atomic-registry completion` tells them to.
COMPLETE_VARIABLE = "_ATOMIC_REGISTRY_COMPLETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a command is, as `module:object` below this package, and what the list says of it.

    The object is `command` by default. The text stands here so that the list loads no command.
    """

    target: str
    help: str


COMMANDS: Mapping[str, Entry] = {
    "annotate": Entry(
        target="objects.marks:annotate", help="Set and remove annotations of objects."
    ),
    "apply": Entry(target="objects.apply", help="Make objects be as files say."),
    "backup": Entry(
        target="backup", help="Back up keys, database and images while the services run."
    ),
    "ca": Entry(
        target="authority", help="Make certificates and keys, and encrypt secrets for files."
    ),
    "can-i": Entry(target="rights:can_i", help="Ask whether you may do something, and why."),
    "completion": Entry(
        target="completion", help="Print what makes your shell complete commands and options."
    ),
    "config": Entry(target="config", help="Show, check and write settings."),
    "create": Entry(target="objects.create", help="Make objects, from files or from options."),
    "create-token": Entry(
        target="tokens:create_token", help="Make a personal token and print its secret, this once."
    ),
    "delete": Entry(target="objects.delete", help="Delete objects, and say which."),
    "delete-project": Entry(
        target="projects:delete_project", help="Delete a project with everything in it."
    ),
    "describe": Entry(target="objects.describe", help="Tell about objects in words for people."),
    "docker-login": Entry(
        target="docker_login", help="Let docker, podman, buildah and skopeo push and pull as you."
    ),
    "edit": Entry(target="objects.edit", help="Change objects in an editor."),
    "doctor": Entry(
        target="doctor.command", help="Go the way of a client and name the hop that fails."
    ),
    "get": Entry(target="objects.get", help="Show objects of any kind, once or as they change."),
    "groups": Entry(
        target="groups", help="List and change groups of users, or bring them from LDAP."
    ),
    "import-image": Entry(
        target="objects.import_image", help="Say how to bring an image in from elsewhere."
    ),
    "install": Entry(
        target="install", help="Put the services on this machine, under systemd and with TLS."
    ),
    "label": Entry(target="objects.marks:label", help="Set and remove labels of objects."),
    "login": Entry(target="login", help="Log in to the master, by default with your browser."),
    "logout": Entry(target="login:logout", help="Make the current login worthless and forget it."),
    "new-project": Entry(
        target="projects:new_project",
        help="Make a project, whose administrator you are, and work in it.",
    ),
    "policy": Entry(
        target="policy", help="Give roles to users, groups and robots, and take them away."
    ),
    "project": Entry(target="projects:project", help="Choose the project to work in, or print it."),
    "projects": Entry(target="projects:projects", help="List the projects that you can see."),
    "restore": Entry(target="backup:restore", help="Bring a backup back, all of it or nothing."),
    "robots": Entry(target="robots", help="Make and remove robots of a project, and their tokens."),
    "serve": Entry(target="serve", help="Start the registry and the master."),
    "share": Entry(target="projects:share", help="Say who else may pull from a project."),
    "status": Entry(target="status", help="Tell how the services, certificates and storage are."),
    "tag": Entry(target="objects.tag", help="Make, move, roll back and remove tags of images."),
    "tokens": Entry(target="tokens", help="List, rotate and revoke your tokens."),
    "uninstall": Entry(
        target="install:uninstall", help="Take the services off this machine; data and keys stay."
    ),
    "update": Entry(
        target="update",
        help="Change to another version, and back by itself if it does not do well.",
    ),
    "users": Entry(target="users", help="List, make, disable and delete accounts."),
    "who-can": Entry(target="rights:who_can", help="List who may do something."),
    "whoami": Entry(target="login:whoami", help="Print your name, as the master knows it."),
}


class _LazyGroup(click.Group):
    """A group that finds its commands in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        found = importlib.import_module(f"atomic_registry.cli.{module}")
        command = getattr(found, attribute or "command")
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in sorted(COMMANDS)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atomic-registry")
def root() -> None:
    """Keep container images: push with any OCI client, pull the same bytes back.

    \b
    Start a registry on 127.0.0.1:5000 with its data in ./data:
      atomic-registry serve --root ./data
    \b
    Log in to it, make a project, and let docker, podman and skopeo push there:
      atomic-registry login https://localhost:8443
      atomic-registry new-project demo
      atomic-registry docker-login
    """


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        code = root.main(standalone_mode=False, complete_var=COMPLETE_VARIABLE)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("error: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more may be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
