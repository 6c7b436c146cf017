"""One function per figure: sets the scene, takes the readings in turn, gives the lines of the table."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from bench.changes import change_times_ms
from bench.document import render_large_document
from bench.figures import Figure, Series, quantile, series_by_side
from bench.nginx import nginx_provider, nginx_proxy
from bench.readings import cpu_ms_per_stream, cpu_us_per_request, kib_per_held_stream, open_loop_ms
from bench.sides import DIRECT, NGINX, SLUICE, Bench, Side, run_loop
from bench.sizes import Sizes
from bench.sluice import sluice
from bench.truth import check_gateway

CONFIG_BYTES = 64 * 1024


def measure_unary(bench: Bench, sizes: Sizes) -> list[Figure]:
    """CPU per unary request."""
    _, sides = bench.unary_sides()
    series = _in_turn(bench, "unary, CPU µs", sides, sizes, cpu_us_per_request)
    name = f"CPU per unary request, {sizes.n_connections} connections"
    return [Figure(name, "µs", series[SLUICE], series[NGINX], must="≤ 6 ×", aim="≤ 2.5 ×")]


def measure_stream(bench: Bench, sizes: Sizes) -> list[Figure]:
    """CPU per streamed answer."""
    with bench.paced_provider(n_tokens=sizes.n_tokens, gap_ms=sizes.gap_ms) as provider, bench.sides(provider) as sides:
        series = _in_turn(bench, "streams, CPU ms", sides, sizes, cpu_ms_per_stream)
    name = f"CPU per stream of {sizes.n_tokens} events {sizes.gap_ms:g} ms apart, {sizes.n_streams} at once"
    return [Figure(name, "ms", series[SLUICE], series[NGINX], must="≤ 3.5 ×", aim="≤ 2 ×", digits=2)]


def measure_latency(bench: Bench, sizes: Sizes) -> list[Figure]:
    """Latency on top of asking the provider directly, open loop."""
    rounds: list[dict[str, tuple[float, float]]] = []
    provider, sides = bench.unary_sides()
    places = {DIRECT: provider, **{name: side.address for name, side in sides.items()}}
    for number in range(sizes.rounds):
        rounds.append({name: run_loop(open_loop_ms(address, sizes)) for name, address in places.items()})
        bench.say(_round_line("latency, p50/p99 ms", number, rounds[-1]))
    return [_added(rounds, 0, sizes, "≤ 1 ms", "≤ 0.4 ms"), _added(rounds, 1, sizes, "≤ 5 ms", "≤ 2 ms")]


def measure_memory(bench: Bench, sizes: Sizes) -> list[Figure]:
    """Memory per held stream; fresh processes each time, for none gives memory back."""
    return _measure_held(bench, sizes, sizes.n_held, sizes.held_rounds)


def measure_held(bench: Bench, sizes: Sizes, n_held: int) -> list[Figure]:
    """Many streams held at once: that none fails is the figure."""
    return _measure_held(bench, sizes, n_held, 1)


def measure_start(bench: Bench, sizes: Sizes) -> list[Figure]:
    """Start to ready; and that what is ready splits and rewrites as it is told to."""
    times_s = []
    with bench.paced_provider(n_tokens=1, gap_ms=1) as provider:
        for number in range(sizes.n_starts):
            with sluice(bench.new_folder("sluice"), provider) as ours:
                times_s.append(ours.ready_s)
                run_loop(check_gateway(ours.address))
            bench.say(f"start, s: {number + 1}: {times_s[-1]:.2f}")
    return [Figure("start to ready", "s", Series(tuple(times_s)), must="≤ 2 s", aim="≤ 1 s", digits=2)]


def measure_change(bench: Bench, sizes: Sizes) -> list[Figure]:
    """A change of a large file, until every worker serves it."""
    with nginx_provider(bench.new_folder("provider")) as provider:
        documents = [
            render_large_document(provider.address, max_bytes=CONFIG_BYTES, edit=number)
            for number in range(sizes.n_edits + 1)
        ]
        with sluice(bench.new_folder("sluice"), provider.address, document=documents[0]) as ours:
            times_ms = sorted(run_loop(change_times_ms(ours, documents[1:])))
    bench.say(f"config change, ms: {' '.join(f'{time_ms:.0f}' for time_ms in times_ms)}")
    size = f"{len(documents[0].encode()) / 1024:.0f} KiB, {sizes.n_edits} edits"
    p99 = Series((quantile(times_ms, 0.99),))
    return [
        Figure(f"config change to every worker, p50 and range ({size})", "ms", Series(tuple(times_ms)), digits=0),
        Figure(f"config change to every worker, p99 ({size})", "ms", p99, must="≤ 200 ms", aim="≤ 100 ms", digits=0),
    ]


def _in_turn(
    bench: Bench,
    label: str,
    sides: dict[str, Side],
    sizes: Sizes,
    take_reading: Callable[[Side, Sizes], Coroutine[Any, Any, float]],
) -> dict[str, Series]:
    """Take readings of both sides in turn; who goes first changes from round to round."""
    rounds = []
    for number in range(sizes.rounds):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        rounds.append({name: run_loop(take_reading(sides[name], sizes)) for name in names})
        bench.say(_round_line(label, number, rounds[-1]))
    return series_by_side(rounds)


def _measure_held(bench: Bench, sizes: Sizes, n_held: int, n_rounds: int) -> list[Figure]:
    rounds = []
    for number in range(n_rounds):
        with bench.paced_provider(n_tokens=sizes.held_tokens, gap_ms=sizes.held_gap_ms) as provider:
            reading = {}
            with nginx_proxy(bench.new_folder("nginx"), provider) as reference:
                reading[NGINX] = run_loop(kib_per_held_stream(reference, sizes, n_held))
            with sluice(bench.new_folder("sluice"), provider) as ours:
                reading[SLUICE] = run_loop(kib_per_held_stream(ours, sizes, n_held))
        rounds.append(reading)
        bench.say(_round_line(f"{n_held} held streams, KiB each", number, reading))
    series = series_by_side(rounds)
    name = f"memory per held stream, {n_held:,} at once, none failed"
    return [Figure(name, "KiB", series[SLUICE], series[NGINX], must="≤ 64 KiB", aim="≤ 24 KiB")]


def _added(rounds: list[dict[str, tuple[float, float]]], place: int, sizes: Sizes, must: str, aim: str) -> Figure:
    """Give what each side adds to the direct way, for p50 (place 0) or p99 (place 1)."""
    added = series_by_side(
        [{name: reading[name][place] - reading[DIRECT][place] for name in (NGINX, SLUICE)} for reading in rounds]
    )
    name = f"added latency at {sizes.open_per_s:g} requests/s, {'p50' if place == 0 else 'p99'}"
    return Figure(name, "ms", added[SLUICE], added[NGINX], must=must, aim=aim, digits=2, is_difference=True)


def _round_line(label: str, number: int, reading: dict[str, Any]) -> str:
    def shown(value: float | tuple[float, float]) -> str:
        return "/".join(f"{part:.2f}" for part in (value if isinstance(value, tuple) else (value,)))

    return f"{label}: round {number + 1}: " + ", ".join(f"{name} {shown(value)}" for name, value in reading.items())
