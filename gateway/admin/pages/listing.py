"""Every page there is. The authorisation test reads this list, so a page that is not on it fails there."""

from __future__ import annotations

from gateway.admin.endpoint import Endpoint
from gateway.admin.pages.assets import ASSET_PAGES
from gateway.admin.pages.sign_in import SIGN_IN_PAGES

PAGES: tuple[Endpoint, ...] = (*ASSET_PAGES, *SIGN_IN_PAGES)
