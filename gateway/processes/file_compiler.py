"""The compiler, joined to the file, the environment and the state directory; and to what is being served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.control.publish import Compiled
    from gateway.domain.table import RoutingTable
    from gateway.errors import Finding
    from gateway.settings.allocations import Allocations
    from gateway.settings.memo import Memo


class FileCompiler:
    """Joins the compiler to the file, the environment and the state directory."""

    def __init__(
        self,
        config: Path,
        state: Path,
        seal_key: bytes,
        *,
        environ: Mapping[str, str],
        defers_prices: bool = False,
        allows_edits: bool = False,
        serving: Callable[[], RoutingTable | None] = lambda: None,
    ) -> None:
        """
        Join them.

        Args:
            config: The file.
            state: The state directory.
            seal_key: 32 bytes.
            environ: Where keys are looked up.
            defers_prices: What only the price list tells is left out until `load_prices`.
            allows_edits: Every edit is served at once.
            serving: Gives the table in use, for the contents that edits may not change under users.
        """
        self._config = config
        self._allocations = state / "allocations.json"
        self._seal_key = seal_key
        self._environ = environ
        self._memo: Memo | None = None
        self._defers_prices = defers_prices
        self._allows_edits = allows_edits
        self._serving = serving

    def compile(self, version: int) -> Compiled:
        """Give the file as a table of this version."""
        from gateway.settings.allocations import read_allocations
        from gateway.settings.compile import compile_config
        from gateway.settings.memo import Memo
        from gateway.settings.prices import PriceList

        if self._memo is None:
            self._memo = Memo(PriceList(is_deferred=self._defers_prices))
        return compile_config(
            self._config,
            environ=self._environ,
            version=version,
            seal_key=self._seal_key,
            previous=counted_on(read_allocations(self._allocations), self._serving()),
            memo=self._memo,
            serving=serving_of(self._serving()),
            allows_edits=self._allows_edits,
        )

    def load_prices(self) -> bool:
        """Load the price list if a price was missed; True where compiling again gives more. Blocks a quarter second."""
        if self._memo is None or not self._memo.prices.was_missed:
            return False
        self._memo.prices.load()
        return True

    def save(self, compiled: Any) -> None:
        """Write down who owns which bucket, if the file does not say it already."""
        from gateway.settings.allocations import read_allocations, write_allocations

        # A flushed write may wait long for a busy disk; most edits move nobody.
        if read_allocations(self._allocations) != compiled.allocations:
            write_allocations(self._allocations, compiled.allocations)


def counted_on(known: Allocations, table: RoutingTable | None) -> Allocations:
    """
    Give allocations whose epochs are no lower than those in use.

    A rollout's epochs are counted by control; a split that takes its place must not count the same ones again, or
    facts of two divisions would share a number.
    """
    from msgspec.structs import replace

    if table is None:
        return known
    routes = [route for name in table.route_names if (route := table.route(name)) is not None]
    in_use = {route.release.name: route.release.epoch for route in routes}
    behind = {
        name: replace(one, epoch=in_use[name])
        for name, one in known.by_release.items()
        if in_use.get(name, 0) > one.epoch
    }
    return known.updated(behind) if behind else known


def serving_of(table: RoutingTable | None) -> dict[str, dict[str, str]] | None:
    """Give the contents that are served now, by release and arm; None where nothing is."""
    if table is None:
        return None
    routes = [route for name in table.route_names if (route := table.route(name)) is not None]
    return {
        route.release.name: {arm.name: route.variants[arm.name].content_hash for arm in route.release.arms}
        for route in routes
    }


def validate_text(text: str, config: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Give everything wrong with `text` as a configuration that would stand where `config` does."""
    from gateway.errors import ConfigError
    from gateway.settings.allocations import Allocations
    from gateway.settings.compile import compile_text

    try:
        compile_text(
            text,
            name=config.name,
            folder=config.parent,
            environ=environ,
            version=0,
            seal_key=bytes(32),
            previous=Allocations(),
        )
    except ConfigError as error:
        return error.findings
    return []
