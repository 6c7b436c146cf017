"""Every page there is. The authorisation test reads this list, so a page that is not on it fails there."""

from __future__ import annotations

from gateway.admin.endpoint import Endpoint
from gateway.admin.pages.actions import ACTION_PAGES
from gateway.admin.pages.assets import ASSET_PAGES
from gateway.admin.pages.config import CONFIG_PAGES
from gateway.admin.pages.journal import JOURNAL_PAGES
from gateway.admin.pages.overview import OVERVIEW_PAGES
from gateway.admin.pages.reports import REPORT_PAGES
from gateway.admin.pages.requests import REQUEST_PAGES
from gateway.admin.pages.rollout import ROLLOUT_PAGES
from gateway.admin.pages.route import ROUTE_PAGES
from gateway.admin.pages.sign_in import SIGN_IN_PAGES

PAGES: tuple[Endpoint, ...] = (
    *ASSET_PAGES,
    *SIGN_IN_PAGES,
    *OVERVIEW_PAGES,
    *ROUTE_PAGES,
    *REPORT_PAGES,
    *ROLLOUT_PAGES,
    *ACTION_PAGES,
    *JOURNAL_PAGES,
    *CONFIG_PAGES,
    *REQUEST_PAGES,
)
