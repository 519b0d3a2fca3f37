"""Check pages with axe-core."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe

__all__ = ["violations"]


def violations(page: Any) -> list[str]:
    """List what axe-core finds on an open page: the rule and the first elements.

    Args:
        page: A page of playwright.
    """
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes'][:3]]}" for rule in found]
