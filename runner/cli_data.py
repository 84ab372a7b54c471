"""The commands of `mm` about recorded data: record, import, backtest, replay."""

from pathlib import Path
from typing import Annotated

import typer

from runner.cli_options import ConfigOption, SetOption, fail


def replay(
    folder: Annotated[Path, typer.Argument(help="Folder of a session's journal (*.mmj).")],
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Print how each decision that changed "
        "orders came to be, a JSON line each, and replay nothing.")] = False,
    parity: Annotated[bool, typer.Option("--parity", help="Instead, backtest the session on its "
        "own market and put fills, profit and latency side by side.")] = False,
) -> None:
    """Run a journal through the same engine and compare the outbound bytes."""
    from runner.replay import main as compare
    from runner.replay import tell_why

    if why:
        raise typer.Exit(tell_why(folder))
    if parity:
        from runner.parity import main as side_by_side

        raise typer.Exit(side_by_side(folder, as_json=as_json))

    raise typer.Exit(compare(folder, as_json=as_json))


def backtest(
    data: Annotated[list[Path], typer.Argument(
        metavar="DATA...", help="Recordings; files of one folder and kind are one, in order.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path | None, typer.Option(
        help="Write fills, requests, samples (Parquet) and the summary to this folder.")] = None,
    workers: Annotated[int | None, typer.Option(
        min=1, help="Processes for several recordings; one a core.")] = None,
    profile: Annotated[str | None, typer.Option(
        help="Whose defaults: sim (embedded exchange) or live; without it, those of the venue the "
        "configuration names, else sim.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Run the maker on recorded data in virtual time."""
    from runner.backtest import BacktestOptions, main

    if profile not in (None, "sim", "live"):
        fail([f"--profile {profile}: expected sim or live"])
    raise typer.Exit(main(BacktestOptions(
        data=tuple(data), config=config, sets=tuple(sets or ()), out=out, as_json=as_json,
        workers=workers, profile=profile)))


def import_recording(
    data: Annotated[list[Path], typer.Argument(
        metavar="DATA...", help="Files of one recording, or tables of one period.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write (.mmev).")],
    skip_bad: Annotated[bool, typer.Option(
        "--skip-bad", help="Leave out lines of tables that cannot be read, and count them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Convert a recording into a mapped file that loads at once; say what is wrong with it."""
    from runner.importing import ImportOptions, main

    raise typer.Exit(main(ImportOptions(data=tuple(data), out=out, skip_bad=skip_bad,
                                        as_json=as_json)))


def record(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write into.")],
    config: ConfigOption = None,
    venue: Annotated[str | None, typer.Option(
        help="sim (default), testnet, prod or a ws:// address.")] = None,
    instrument: Annotated[list[str] | None, typer.Option(
        help="Name or rule, like BTC-PERPETUAL or front; repeatable; else those configured.")
    ] = None,
    duration: Annotated[str | None, typer.Option(help="Stop after this time, like 10m.")] = None,
    rotate: Annotated[str, typer.Option(help="Begin a new file after this time.")] = "1h",
    rotate_mib: Annotated[int, typer.Option(
        "--rotate-mib", min=1, help="Begin a new file after so much text.")] = 1024,
    sets: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Record a venue's public market data; mm backtest and mm sim --data play it."""
    from runner.options import parse_duration
    from runner.record import RecordOptions, main

    try:
        duration_s = parse_duration(duration) if duration is not None else None
        rotate_s = parse_duration(rotate)
    except ValueError as error:
        fail([str(error)])
    raise typer.Exit(main(RecordOptions(
        out=out, config=config, venue=venue, sets=tuple(sets or ()),
        instruments=tuple(instrument or ()), duration_s=duration_s, rotate_s=rotate_s,
        rotate_mib=rotate_mib, as_json=as_json)))


def add_to(app: typer.Typer) -> None:
    """Make the commands of this module commands of `mm`."""
    app.command()(replay)
    app.command()(backtest)
    app.command("import")(import_recording)
    app.command()(record)
