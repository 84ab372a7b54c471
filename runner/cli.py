"""The `mm` command: options only; every command imports what it needs when it is called."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from runner import cli_data
from runner import sim_options as options
from runner.cli_options import ConfigOption, SetOption, fail

app = typer.Typer(
    name="mm", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    help="Market maker for BTC futures on Deribit.")



cli_data.add_to(app)


def main() -> None:
    """Entry point of the installed command."""
    app(prog_name="mm")


def show_version(wanted: bool) -> None:
    if wanted:
        from runner.version import product_version

        sys.stdout.write(f"mm {product_version()}\n")
        raise typer.Exit


@app.callback()
def common(
    version_wanted: Annotated[bool, typer.Option(
        "--version", callback=show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Options of every command."""


@app.command()
def run(
    config: ConfigOption = None,
    venue: Annotated[str | None, typer.Option(
        help="sim (default), testnet, prod or a ws:// address.")] = None,
    duration: Annotated[str | None, typer.Option(help="Stop after this time, like 60s.")] = None,
    sets: SetOption = None,
    headless: Annotated[bool, typer.Option("--headless", help="No live view.")] = False,
    summary: Annotated[Path | None, typer.Option(
        help="Write the final figures to this file as JSON.")] = None,
    paper: Annotated[bool, typer.Option(
        "--paper", help="The venue's market data, fills on this machine; needs no key.")] = False,
    data: Annotated[list[Path] | None, typer.Option(
        help="With --paper: a recording instead of a venue; repeatable.")] = None,
) -> None:
    """Trade. Without a venue: against the embedded exchange, which it starts."""
    import msgspec

    from runner import children
    from runner.options import RunOptions, parse_duration

    try:
        duration_s = parse_duration(duration) if duration is not None else None
    except ValueError as error:
        fail([f"--duration: {error}"])
    options = RunOptions(
        config=str(config) if config else None, venue=venue, duration_s=duration_s,
        sets=tuple(sets or ()), headless=headless, summary=str(summary) if summary else None,
        paper=paper, data=tuple(str(path) for path in data or ()))
    # The process that trades replaces this one: it imports no command line library.
    command = children.python_command("runner.live", msgspec.json.encode(options).decode())
    sys.stdout.flush()
    os.execve(command[0], command, children.python_environment())  # noqa: S606 no shell is meant


@app.command()
def sim(
    port: options.Port = 8765,
    http_port: options.HttpPort = None,
    seed: options.Seed = 1,
    data: options.Data = None,
    speed: options.Speed = 1.0,
    once: options.Once = False,
    regime: options.Regime = "normal",
    maker_fee_bps: options.MakerFeeBps = 1.5,
    taker_fee_bps: options.TakerFeeBps = 3.5,
    tier: options.Tier = 4,
    balance_btc: options.BalanceBtc = 0.9,
    terminate_on_limit: options.TerminateOnLimit = False,
    processing_us: options.ProcessingUs = "0",
    queue_model: options.QueueModel = "pessimistic",
    queue_power: options.QueuePower = 2.0,
    no_spread: options.NoSpread = False,
    now: options.Now = None,
    client_id: options.ClientId = None,
    client_secret: options.ClientSecret = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    tls: options.Tls = False,
    faults: options.Faults = None,
    trace: options.Trace = None,
    replay_trace: options.ReplayTrace = None,
    report: options.Report = False,
    duration: options.Duration = None,
    as_json: options.AsJson = False,
    child: options.Child = False,
    relay: options.Relay = None,
    relay_instrument: options.RelayInstrument = None,
    relay_config: options.RelayConfig = None,
    more_data: options.MoreData = None,
) -> None:
    """Run the exchange alone, for any Deribit client on this machine."""
    if more_data and not data:
        fail([f"{more_data[0]}: a recording is given as --data FILE..."])
    if report:
        from runner.market_report import main as show

        raise typer.Exit(show(seed, regime, duration, (*(data or ()), *(more_data or ())),
                              as_json=as_json))
    if duration is not None or as_json:
        fail(["--duration and --json belong to --report"])
    from runner.simulated import SimOptions, processing_of, rerun, serve

    try:
        between = processing_of(processing_us)
    except ValueError as error:
        fail([str(error)])
    if replay_trace is not None:
        raise typer.Exit(rerun(replay_trace))
    raise typer.Exit(serve(SimOptions(
        port=port, http_port=http_port, seed=seed,
        data=(*(data or ()), *(more_data or ())), speed=speed, once=once, regime=regime,
        maker_fee=maker_fee_bps * 1e-4, taker_fee=taker_fee_bps * 1e-4,
        client_id=client_id, client_secret=client_secret, tls_cert=tls_cert,
        tls_key=tls_key, child=child, tls=tls, faults=faults, trace=trace,
        now=now, tier=tier, balance_btc=balance_btc, terminate_on_limit=terminate_on_limit,
        processing_us=between, queue_model=queue_model, queue_power=queue_power,
        spread=not no_spread, relay=relay, relay_instruments=tuple(relay_instrument or ()),
        relay_config=relay_config)))


@app.command()
def simulate(
    seed: Annotated[int | None, typer.Option(min=0, help="Run this seed.")] = None,
    seeds: Annotated[str | None, typer.Option(
        metavar="A..B", help="Run these seeds, B included, on all cores.")] = None,
    faults: Annotated[Path | None, typer.Option(
        metavar="PLAN", help="What may go wrong (TOML); everything where not given.")] = None,
    trace: Annotated[bool, typer.Option(
        "--trace", help="Print the session of --seed as it goes.")] = False,
    workers: Annotated[int | None, typer.Option(
        min=1, help="Processes; one a core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Run the maker against the exchange in virtual time under seeded faults."""
    from runner.simulation.command import SimulateOptions, main

    raise typer.Exit(main(SimulateOptions(
        seed=seed, seeds=seeds, faults=faults, trace=trace, as_json=as_json, workers=workers)))


@app.command()
def metrics(
    config: ConfigOption = None,
    venue: Annotated[str | None, typer.Option(
        help="Venue of the maker: testnet, prod or a ws:// address.")] = None,
    sets: SetOption = None,
    page: Annotated[Path | None, typer.Option(
        help="Telemetry page of the maker, where it is not found by itself.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the metrics and leave.")] = False,
    test_alert: Annotated[bool, typer.Option(
        "--test-alert", help="Post a test message to telemetry.webhook_url and leave.")] = False,
) -> None:
    """Serve the metrics of a running maker; mm run does so by itself."""
    from runner.metrics import main as serve_metrics

    raise typer.Exit(serve_metrics(config, venue, tuple(sets or ()), page, once=once,
                                   test_alert=test_alert))


@app.command()
def calibrate(
    data: Annotated[list[Path], typer.Argument(
        metavar="DATA...", help="One recording; several files in order of time.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    instrument: Annotated[str | None, typer.Option(
        help="Which of its instruments; the first one.")] = None,
    half_life_s: Annotated[float | None, typer.Option(
        "--half-life-s", min=0.1, help="Half-life of inventory that quote.gamma is to give; "
        "without it gamma gives quote.skew_usd_at_limit at the limit.")] = None,
    run: Annotated[Path | None, typer.Option(
        help="Folder of a run, whose markouts say how long to hold after a fill.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the lines to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Estimates as JSON.")] = False,
) -> None:
    """Estimate volatility, arrivals, risk aversion and thresholds from a recording."""
    from runner.calibration.command import main

    raise typer.Exit(main(data, config, sets or (), instrument=instrument,
                          half_life_s=half_life_s, run=run, out=out, as_json=as_json))


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(
        metavar="DIR...", help="Folder of a run; further ones are compared with it.")],
    out: Annotated[Path | None, typer.Option(
        help="Write the page here instead of DIR/report.html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON, no page.")] = False,
) -> None:
    """Show what a run came to, as one HTML page with plots."""
    from runner.tearsheet.command import main as show

    raise typer.Exit(show(folders, out, as_json=as_json))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a commented configuration, dashboards, alert rules, units and the runbook."""
    from runner.init import main as write_files

    raise typer.Exit(write_files(folder, force=force))


@app.command()
def dashboard(
    config: ConfigOption = None,
    venue: Annotated[str | None, typer.Option(help="As given to mm run.")] = None,
    sets: SetOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0: a free one.")
                    ] = 9465,
    token: Annotated[str, typer.Option(
        help="Token of the commands, as env:NAME or file:PATH; one is made else.")] = "",
) -> None:
    """Show a running maker as a web page on this machine; pause, resume and kill with a token."""
    from runner.live_page.server import main as serve_page

    raise typer.Exit(serve_page(config, venue, tuple(sets or ()), port, token))


@app.command()
def doctor(
    config: ConfigOption = None,
    venue: Annotated[str | None, typer.Option(
        help="Also reach this venue: testnet, prod or a ws:// address.")] = None,
    sets: SetOption = None,
    drill: Annotated[bool, typer.Option(
        "--drill", help="Also place an order and cut its connection (sim and testnet only).")
    ] = False,
    probe: Annotated[str, typer.Option(help="How long to measure the way to the venue.")] = "10s",
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Check machine, installation, configuration and venue; each finding with its remedy."""
    from runner.doctor import main as examine
    from runner.options import parse_duration

    try:
        probe_s = parse_duration(probe)
    except ValueError as error:
        fail([f"--probe: {error}"])
    raise typer.Exit(examine(config, venue, tuple(sets or ()), as_json=as_json, probe_s=probe_s,
                             drill=drill))


ctl = typer.Typer(no_args_is_help=True, help="Control a running maker over its local socket.")
app.add_typer(ctl, name="ctl")
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]
VenueOption = Annotated[str | None, typer.Option(help="As given to mm run.")]


def send(command: str, config: Path | None, venue: str | None, sets: list[str] | None,
         reason: str = "", *, changes: tuple[str, ...] = (), confirm: str = "",
         as_json: bool = True) -> NoReturn:
    """Send one command and leave with its exit code."""
    from runner.ctl import main as control

    raise typer.Exit(control(command, config, venue, tuple(sets or ()), reason, changes=changes,
                             confirm=confirm, as_json=as_json))


@ctl.command()
def status(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
           as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print the state of risk, the day's figures, what was set, and the positions."""
    send("status", config, venue, sets, as_json=as_json)


@ctl.command("set")
def set_parameters(
    changes: Annotated[list[str], typer.Argument(
        metavar="KEY=VALUE...", help="All of them or none, between two decisions.")],
    config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
    reason: ReasonOption = "",
    confirm: Annotated[str, typer.Option(
        help="The word the first call answered, for what bounds losses.")] = "",
) -> None:
    """Change parameters of a running maker; journalled and audited, gone with a restart."""
    send("set", config, venue, sets, reason, changes=tuple(changes), confirm=confirm)


@ctl.command()
def pause(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
          reason: ReasonOption = "") -> None:
    """Let nothing add any more; what reduces the position goes on."""
    send("pause", config, venue, sets, reason)


@ctl.command()
def resume(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
           reason: ReasonOption = "") -> None:
    """End a pause."""
    send("resume", config, venue, sets, reason)


@ctl.command()
def kill(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
         reason: ReasonOption = "") -> None:
    """Cancel everything and latch; the position stays: see flatten."""
    send("kill", config, venue, sets, reason)


@ctl.command()
def flatten(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
            reason: ReasonOption = "") -> None:
    """Close every position in slices; nothing adds."""
    send("flatten", config, venue, sets, reason)


@ctl.command()
def hedge(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
          reason: ReasonOption = "") -> None:
    """Hedge the net exposure now, down to hedge.release_btc; needs hedge.enabled."""
    send("hedge", config, venue, sets, reason)


@ctl.command()
def unkill(config: ConfigOption = None, venue: VenueOption = None, sets: SetOption = None,
           reason: ReasonOption = "") -> None:
    """Clear the latch of a maker that does not run; needs --reason."""
    send("unkill", config, venue, sets, reason)
