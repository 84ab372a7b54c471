"""What every test may use: the recordings, a printed seed, and proof of what is under test."""

import os
import random
from collections.abc import Callable, Generator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# No deadline: two shared cores and the sanitizer build make times meaningless.
hypothesis.settings.register_profile("project", deadline=None, print_blob=True)
hypothesis.settings.load_profile("project")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to test the source tree, which holds no compiled module."""
    import mmcore

    home = Path(str(mmcore.__file__)).parents[1]
    if home == ROOT:
        raise pytest.UsageError(
            "mmcore is imported from the source tree; run make test-release, or build and give "
            "PYTHONPATH=build/release/lib python -P -m pytest"
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    import mmcore

    return [f"mmcore from {Path(str(mmcore.__file__)).parent}"]


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[None, None, None]:
    """Keep what sessions leave out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where CI=true: what is skipped there is never run at all."""
    if report.outcome == "skipped" and not hasattr(report, "wasxfail") and in_ci():
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr}"


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a figure that a test has found; the end of the run prints them all."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    found = [(report.nodeid.rpartition("::")[2], value) for report in reports
             if report.when == "call" for name, value in report.user_properties
             if name == "figure"]
    if found:
        terminalreporter.section("figures")
    for test, text in found:
        terminalreporter.write_line(f"{test}: {text}")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed of this run, printed with a failure; MM_SEED=N repeats one."""
    text = os.environ.get("MM_SEED")
    value = int(text) if text else random.SystemRandom().randrange(2**32)
    print(f"seed {value}: repeat with MM_SEED={value}")
    return value


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of market recordings: MM_DATA, else ../shared/data beside the repository."""
    path = Path(os.environ.get("MM_DATA") or ROOT.parent / "shared" / "data")
    if path.is_dir():
        return path
    if in_ci():
        pytest.fail(f"no recordings at {path}, and in CI nothing is skipped")
    pytest.skip(f"no recordings at {path}; MM_DATA names another place")
