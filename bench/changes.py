"""How long an edit of the file takes until every worker serves it, as a client sees it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.cpu import family_of
from bench.errors import BenchError
from bench.load import Exchange, connect
from bench.shape import ROUTE, get_request, header_of
from bench.sluice import N_WORKERS, Gateway
from bench.sockets import servers_of

WITHIN_S = 5.0
_MAX_CONNECTIONS = 64
_LOOK_EVERY_S = 0.001
_REST_S = 0.15


async def change_times_ms(gateway: Gateway, documents: list[str]) -> list[float]:
    """
    Write each document in turn and give how long all workers took to serve it, in ms.

    Raises:
        BenchError: A change was not served in time, or the workers disagree.
    """
    exchanges = await _one_per_worker(gateway)
    request = get_request(gateway.address, f"/v1/models/{ROUTE}")
    try:
        hashes = await asyncio.gather(*(_config_of(exchange, request) for exchange in exchanges))
        times_ms = []
        for document in documents:
            await asyncio.sleep(_REST_S)
            began_s = _replace(gateway.config, document)
            seen = [_until_changed(exchange, request, old) for exchange, old in zip(exchanges, hashes, strict=True)]
            hashes = await asyncio.gather(*seen)
            times_ms.append((time.perf_counter() - began_s) * 1e3)
            if len(set(hashes)) != 1:
                message = "the workers serve different configurations"
                raise BenchError(message)
        return times_ms
    finally:
        for exchange in exchanges:
            exchange.close()


async def _one_per_worker(gateway: Gateway) -> list[Exchange]:
    """Give one connection to each worker: the kernel deals them out, so some are opened in vain."""
    by_worker: dict[int, Exchange] = {}
    pids = family_of(gateway.pid)
    for _ in range(_MAX_CONNECTIONS):
        exchange = await connect(gateway.address)
        await exchange.ask(get_request(gateway.address, "/readyz"))
        worker = servers_of(pids, gateway.address.port)[exchange.local_port]
        if worker in by_worker:
            exchange.close()
            continue
        by_worker[worker] = exchange
        if len(by_worker) == N_WORKERS:
            return list(by_worker.values())
    message = f"{_MAX_CONNECTIONS} connections reached {len(by_worker)} of {N_WORKERS} workers"
    raise BenchError(message)


async def _config_of(exchange: Exchange, request: bytes) -> bytes:
    head, _ = await exchange.ask(request)
    config_hash = header_of(head, b"x-sluice-config")
    if config_hash is None:
        message = f"an answer does not say which configuration it comes from:\n{head.decode(errors='replace')}"
        raise BenchError(message)
    return config_hash


async def _until_changed(exchange: Exchange, request: bytes, old: bytes) -> bytes:
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                config_hash = await _config_of(exchange, request)
                if config_hash != old:
                    return config_hash
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        message = f"a change was not served within {WITHIN_S:g} s"
        raise BenchError(message) from None


def _replace(path: Path, document: str) -> float:
    """Put a new file in the place of the old one; give when."""
    draft = path.with_suffix(".new")
    draft.write_text(document)
    began_s = time.perf_counter()
    draft.replace(path)
    return began_s
