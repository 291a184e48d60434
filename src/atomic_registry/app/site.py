"""What the master shows to anybody: the directories of its file, and how to trust it."""

from atomic_registry.app.master_files import MasterFiles
from atomic_registry.faces.site.options import Extension, SiteOptions


def site_options(files: MasterFiles, registry_host: str) -> SiteOptions:
    """Return what the pages need to know."""
    return SiteOptions(
        master_url=files.public_url,
        registry_host=registry_host,
        authority=files.authority,
        extensions=tuple(
            Extension(name=it.name, directory=it.source_directory, html5=it.html5_mode)
            for it in files.config.asset_config.extensions
        ),
    )
