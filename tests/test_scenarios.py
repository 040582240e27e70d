"""Scenarios in JSON, played by the published packages of every language against a real relay.

Each scenario runs in each language alone, one with a `cast` also with that, and scenarios and random histories run with
roles given to languages by chance. How a scenario is written is said in runner/play.py. The drivers' words are in
words.json.

TIDELOG_MIXED_RUNS sets how many mixed runs there are, and TIDELOG_MIXED_SEED the first seed: a failure names its seed,
so TIDELOG_MIXED_SEED=SEED TIDELOG_MIXED_RUNS=1 plays it again. TIDELOG_SCENARIO_WORKERS sets how many runs go on at a
time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from runner import drivers, histories
from runner.drivers import Pool
from runner.peers import Peers
from runner.play import Play

SCENARIOS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "scenarios").glob("*.json"))
}
LANGUAGES = sorted(drivers.commands())
MIXED_RUNS = int(os.environ.get("TIDELOG_MIXED_RUNS", "200"))
MIXED_SEED = int(os.environ.get("TIDELOG_MIXED_SEED", "0"))
WORKERS = int(os.environ.get("TIDELOG_SCENARIO_WORKERS", "4"))

Cast = dict[str, str]


def mixed(seed: int) -> tuple[dict[str, Any], Cast]:
    """What is played with this seed: every second time a random history."""
    random = Random(seed)
    written = [one for one in SCENARIOS.values() if len(one["roles"]) > 1 and not one.get("together")]
    scenario = histories.history(random) if seed % 2 == 0 else random.choice(written)
    return scenario, {role: random.choice(LANGUAGES) for role in scenario["roles"]}


def plays() -> Iterator[Any]:
    for name, scenario in SCENARIOS.items():
        for language in LANGUAGES:
            yield pytest.param(scenario, dict.fromkeys(scenario["roles"], language), id=f"{name}-{language}")
        if cast := scenario.get("cast"):
            # A toolchain that is missing skips these with its reason; in CI the suite has failed of it before.
            absent = sorted(set(cast.values()) - set(LANGUAGES))
            marks = [pytest.mark.skip(reason=f"there is no driver for {', '.join(absent)} here")] if absent else []
            yield pytest.param(scenario, cast, id=f"{name}-{'-'.join(cast.values())}", marks=marks)
    for seed in range(MIXED_SEED, MIXED_SEED + MIXED_RUNS):
        scenario, cast = mixed(seed)
        yield pytest.param(scenario, cast, id=f"mixed-{seed}-{'-'.join(cast.values())}")


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """All chosen runs, some at a time; a test waits for its own."""
    folder = tmp_path_factory.mktemp("scenarios")
    pool, peers = Pool(drivers.commands()), Peers(folder / "peers")

    def play(number: int, parameters: dict[str, Any]) -> None:
        place = folder / str(number)
        Play(parameters["scenario"], parameters["cast"], peers, place).run(pool)
        shutil.rmtree(place, ignore_errors=True)

    ours = [item for item in request.session.items if getattr(item, "originalname", "") == "test_scenario"]
    chosen = [item for item in ours if not item.get_closest_marker("skip")]
    with ThreadPoolExecutor(WORKERS) as executor:
        futures = {
            item.nodeid: executor.submit(play, number, item.callspec.params)  # type: ignore[attr-defined]
            for number, item in enumerate(chosen)
        }
        yield futures
        executor.shutdown(cancel_futures=True)
    pool.end()
    peers.end()


@pytest.mark.parametrize(("scenario", "cast"), list(plays()))
def test_scenario(
    scenario: dict[str, Any], cast: Cast, running: dict[str, Future[None]], request: pytest.FixtureRequest
) -> None:
    running[request.node.nodeid].result()
