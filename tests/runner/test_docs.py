"""The docs: every page is reached, every command is one, and the quick start works as written."""

import importlib.util
import itertools
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from mmcore.telemetry_table import families
from runner.children import python_environment
from runner.cli import app
from runner.config_keys import KEYS, SECTIONS
from runner.state import shared_path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+?\.md)(#[^)]*)?\)|`(docs/[a-z]+\.md)`")
BLOCK = re.compile(r"(?ms)^```[a-z]*\n(.*?)^```")
CODE = re.compile(r"`([^`]+)`")
ELLIPSIS = re.compile(r"…|\.\.\.")
MM = (sys.executable, "-P", "-m", "runner")


def commands(text: str) -> list[str]:
    """Return every command of a page that begins with mm, without its comment."""
    found = []
    for block in BLOCK.findall(text):
        found += [line.split(" #")[0].strip() for line in block.splitlines()]
    found += [" ".join(code.split()) for code in CODE.findall(BLOCK.sub("", text))]
    return sorted({line for line in found if re.match(r"mm [a-z-]", line)})


def alternatives(command: str) -> list[list[str]]:
    """Return the words of a command, once for each of `a|b` where it lists some."""
    words = shlex.split(ELLIPSIS.sub("", command).replace("[", "").replace("]", ""))[1:]
    listed = next((i for i, word in enumerate(words) if "|" in word), None)
    if listed is None:
        return [words]
    return [[*words[:listed], each, *words[listed + 1:]] for each in words[listed].split("|")]


def parse(words: list[str]) -> None:
    """Parse a command as the program would, and do nothing."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if not words or words[0].startswith("-"):
            return                          # `mm --version`, or a group by its name
        assert words[0] in command.commands, f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    needed = [p for p in command.params if p.param_type_name == "argument" and p.required]
    if not [w for w in words if not w.startswith("-")] and needed:
        return                              # named in a sentence: `mm replay`
    command.make_context("mm", list(words))


def complaint(words: list[str]) -> str:
    """Return what the parser says against a command, or nothing."""
    try:
        parse(words)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    wrong = []
    for command in commands(page.read_text()):
        for words in alternatives(command):
            error = complaint(words)
            if error and complaint([*words, "X"]):      # named without its value in a sentence
                wrong.append(f"{command}: {error}")
    assert wrong == []


def test_a_wrong_command_is_found() -> None:
    assert commands("`mm run --duraton 5s` and `mm\nctl stats`") == [
        "mm ctl stats", "mm run --duraton 5s"]
    for words in (["run", "--duraton", "5s"], ["ctl", "stats"], ["runn"]):
        with pytest.raises(Exception, match=r"such option|no command"):
            parse(words)


def test_every_page_is_reached_and_every_link_leads_somewhere() -> None:
    reached = set()
    todo = [ROOT / "README.md"]
    broken = []
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        for link, _, bare in LINK.findall(page.read_text()):
            target = ((ROOT / bare) if bare else (page.parent / link)).resolve()
            if target.exists():
                todo.append(target)
            else:
                broken.append(f"{page.name}: {link or bare}")
    assert broken == []
    assert sorted(p.name for p in PAGES if p not in reached) == []


def test_the_site_builds(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mkdocs is not installed; requirements/dev.txt has it")
        pytest.skip("mkdocs is not installed; make installs it")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "-f",
                           str(ROOT / "mkdocs.yml"), "-d", str(tmp_path)], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    text = "".join(p.read_text() for p in tmp_path.rglob("*.html"))
    assert not re.search(r'(src|href)="https?://(?!www\.mkdocs|github|keepachangelog)[^"]*\.(js|css)',
                         text)


def test_what_the_pages_name_exists() -> None:
    """Every config key and every metric that a page names in code is one."""
    named = re.compile(r"\b(" + "|".join(SECTIONS) + r")\.([a-z][a-z0-9_]*[a-z0-9])\b")
    metric = re.compile(r"\bmm_[a-z][a-z0-9_]*[a-z0-9]\b")
    wrong = []
    for page in PAGES:
        text = page.read_text()
        for code in CODE.findall(BLOCK.sub("", text)):
            keys = {f"{section}.{key}" for section, key in named.findall(code)
                    if not re.search(r"[/(]|\.(md|py|pyx|pxd)\b", code)}
            wrong += [f"{page.name}: {key}" for key in sorted(keys - set(KEYS) - NO_KEYS)]
            metrics = {re.sub("_(bucket|count|sum)$", "", m) for m in metric.findall(code)}
            wrong += [f"{page.name}: {m}" for m in sorted(metrics - set(families()))]
    assert wrong == []


NO_KEYS = {"quote.window", "signals.micro_table", "risk.state"}     # two tables, an engine's field
# What somebody asks who has never seen this, the pages to open one after the other (each linked
# from the one before), and words of the answer on the last.
QUESTIONS = {
    "How do I try it without a key?": (["README.md"], ["make run", "without a key"]),
    "How do I get to real money, and when not?": (
        ["README.md", "docs/index.md"], ["Least size", "--drill", "Only while"]),
    "Why does it not quote?": (
        ["README.md", "docs/faq.md"], ["mm_side_removed", "mm replay DIR --why"]),
    "How do I stop it at once, and start it again?": (
        ["README.md", "docs/faq.md", "docs/control.md"], ["mm ctl kill", "mm ctl unkill --reason"]),
    "What does quote.skew_usd_at_limit do?": (
        ["README.md", "docs/configuration.md"], ["`quote.skew_usd_at_limit`"]),
    "Where do my API secrets go?": (
        ["README.md", "docs/faq.md"], ["env:", "file:", "core dump"]),
    "What happens when the connection drops?": (
        ["README.md", "docs/connection.md"], ["connection lost", "back-off"]),
    "How do I backtest it on my own recording?": (
        ["README.md", "docs/backtest.md"], ["mm record", "mm backtest"]),
    "An alert came. What do I do?": (
        ["README.md", "docs/runbook.md"], ["What to do.", "MmPositionMismatch"]),
    "How do I add a signal of my own?": (
        ["README.md", "docs/extending.md", "docs/strategy.md"], ["register_term", "own_1_shift"]),
    "Can I watch it on my phone?": (
        ["README.md", "docs/control.md"], ["phone", "ssh -L 9465"]),
    "How do I make it faster?": (
        ["README.md", "docs/host.md"], ["runtime.reactor_cpu", "mm doctor"]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_newcomer_s_question_is_answered_in_three_openings(question: str) -> None:
    path, words = QUESTIONS[question]
    assert len(path) <= 3
    for before, after in itertools.pairwise(path):
        page = ROOT / before
        leads = {((ROOT / bare) if bare else (page.parent / link)).resolve()
                 for link, _, bare in LINK.findall(page.read_text())}
        assert ROOT / after in leads, f"{before} does not lead to {after}"
    text = (ROOT / path[-1]).read_text()
    assert [word for word in words if word not in text] == []


# ------------------------------------------------------------------ the quick start, for real
@pytest.mark.slow
def test_the_quick_start_works_as_written(tmp_path: Path) -> None:
    first, second = BLOCK.findall((ROOT / "docs" / "index.md").read_text())[:2]
    environment = {**python_environment(), "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line.split(" #")[0].replace("60s", "3s"))
        assert words[0] == "mm"
        if words[1] == "run":
            words += ["--set", "telemetry.prometheus_port=0"]       # another may have the port
        return subprocess.run([*MM, *words[1:]], cwd=tmp_path, env=environment, text=True,
                              capture_output=True, timeout=120, check=False)

    for line in first.splitlines():
        if line.startswith("pip "):
            continue                        # test-wheel of make installs it
        done = run(line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert (tmp_path / "out.json").exists()
    state = tmp_path / "one"
    maker = subprocess.Popen(
        [*MM, "run", "--headless", "--set", "telemetry.prometheus_port=0", "--set",
         f"runtime.state_dir='{state}'"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        cwd=tmp_path, env=environment, start_new_session=True)
    try:
        end = time.monotonic() + 60
        while not (shared_path(state) / "ctl").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        # Other makers may run on this machine, so each command is told which one.
        one = f" --set runtime.state_dir='{state}'"
        for line in second.splitlines():
            line = line.split(" #")[0].strip()
            if line == "mm dashboard":
                page = subprocess.Popen([*MM, *shlex.split(line + one)[1:], "--port", "0"],
                                        stdout=subprocess.PIPE, text=True, env=environment)
                assert page.stdout is not None
                assert page.stdout.readline().startswith("http://127.0.0.1:")
                page.terminate()
                page.communicate(timeout=20)
                assert page.returncode == 0
            else:
                done = run(line + one)
                assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    finally:
        maker.terminate()
        maker.wait(60)
