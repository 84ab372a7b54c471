"""The commands of `mm` about recorded data: record, import, backtest, sweep, replay."""

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
        help="Write fills, requests, samples (Parquet), the summary and the report's page to this "
        "folder; else to one of the user's own.")] = None,
    no_page: Annotated[bool, typer.Option(
        "--no-page", help="Print the figures and write nothing.")] = False,
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
        data=tuple(data), config=config, sets=tuple(sets or ()), out=out, no_page=no_page,
        as_json=as_json, workers=workers, profile=profile)))


def sweep(
    data: Annotated[list[Path], typer.Argument(
        metavar="DATA...", help="As for mm backtest; one recording is cut into parts, several are "
        "a part each.")],
    over: Annotated[list[str] | None, typer.Option(
        metavar="KEY=VALUES", help="What is tried: KEY=1,2,5 or KEY=LOW..HIGH/POINTS, :log behind "
        "it for even ratios; repeatable.")] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    profile: Annotated[str | None, typer.Option(help="As for mm backtest.")] = None,
    trials: Annotated[int | None, typer.Option(
        min=1, help="Search with Optuna, so many trials a fold, instead of the grid.")] = None,
    folds: Annotated[int | None, typer.Option(
        min=1, max=100, help="Parts that are judged, each by what was chosen before it; 3.")
    ] = None,
    objective: Annotated[str, typer.Option(
        help="What is maximised: net_btc, net_bps or sharpe.")] = "net_btc",
    fills_least: Annotated[int, typer.Option(
        "--min-fills", min=0, help="A point with fewer fills is not chosen.")] = 0,
    top: Annotated[int, typer.Option(min=0, help="Points of the table.")] = 5,
    workers: Annotated[int | None, typer.Option(
        min=1, help="Processes of this machine; one a core.")] = None,
    cluster: Annotated[str | None, typer.Option(
        metavar="ADDRESS", help="A Dask scheduler, like tcp://10.0.0.1:8786, instead.")] = None,
    storage: Annotated[str | None, typer.Option(
        help="Optuna's storage: a file or an address like sqlite:///study.db; several machines "
        "that name the same share the study. In --out otherwise.")] = None,
    study: Annotated[str, typer.Option(help="Name of the study in a shared storage.")] = "mm",
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 1,
    out: Annotated[Path | None, typer.Option(
        help="Folder of what is done and the results; the same command goes on where it was. "
        "Else one named after the command.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Search parameters; choose on what came before, judge on what follows."""
    from typing import get_args

    from runner.sweep.command import SweepOptions, main
    from runner.sweep.walk import Objective

    if profile not in (None, "sim", "live"):
        fail([f"--profile {profile}: expected sim or live"])
    if objective not in get_args(Objective):
        fail([f"--objective {objective}: expected {', '.join(get_args(Objective))}"])
    if trials is None and (storage is not None or study != "mm"):
        fail(["--storage and --study belong to --trials"])
    if workers is not None and cluster is not None:
        fail(["--workers and --cluster: give one of them"])
    raise typer.Exit(main(SweepOptions(
        data=tuple(data), over=tuple(over or ()), config=config, sets=tuple(sets or ()),
        profile=profile, trials=trials, folds=folds, objective=objective,  # type: ignore[arg-type]
        fills_least=fills_least, top=top, workers=workers, cluster=cluster, storage=storage,
        study=study, seed=seed, out=out, as_json=as_json)))


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
    app.command()(sweep)
    app.command("import")(import_recording)
    app.command()(record)
