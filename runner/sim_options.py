"""What `mm sim` can be told, one type an option."""

from pathlib import Path
from typing import Annotated

import typer

Port = Annotated[int, typer.Option(help="WebSocket port; 0 takes a free one.")]
HttpPort = Annotated[int | None, typer.Option(
    "--http-port", help="HTTP port; the WebSocket port plus one.")]
Seed = Annotated[int, typer.Option(help="Seed of the synthetic market.")]
Data = Annotated[list[Path] | None, typer.Option(
    help="Play this recording as the market; repeatable.")]
Speed = Annotated[float, typer.Option(help="Play a recording this many times faster.")]
Once = Annotated[bool, typer.Option("--once", help="Leave at the end of the recording.")]
Regime = Annotated[str, typer.Option(help="Mood of the synthetic market.")]
MakerFeeBps = Annotated[float, typer.Option(
    "--maker-fee-bps", help="Maker fee of every instrument; negative is a rebate.")]
TakerFeeBps = Annotated[float, typer.Option(
    "--taker-fee-bps", help="Taker fee of every instrument.")]
Tier = Annotated[int, typer.Option(
    help="Credits as of API tier 1 to 4; 0 is no limits.")]
BalanceBtc = Annotated[float, typer.Option(
    "--balance-btc", help="What a new account starts with.")]
TerminateOnLimit = Annotated[bool, typer.Option(
    "--terminate-on-limit", help="End a connection that is out of credits.")]
ProcessingUs = Annotated[str, typer.Option(
    "--processing-us", metavar="US[-US]", help="A request's time in the matching engine, "
    "drawn between two; 0 answers at once and has no queue.")]
QueueModel = Annotated[str, typer.Option(
    "--queue-model", help="How an order moves up behind recorded ones: pessimistic, "
    "proportional, power or log.")]
QueuePower = Annotated[float, typer.Option(
    "--queue-power", help="Exponent of the model power.")]
NoSpread = Annotated[bool, typer.Option(
    "--no-spread", help="List no future spread at the start.")]
Now = Annotated[str | None, typer.Option(
    metavar="TIME", help="Start the exchange's clock at this UTC date and time, like "
    "2026-09-25T07:55.")]
ClientId = Annotated[str | None, typer.Option(
    "--client-id", help="Accept this client id only.")]
ClientSecret = Annotated[str | None, typer.Option(
    "--client-secret", help="Secret of that client: env:NAME, file:PATH or clear.")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", help="Certificate.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="Its key.")]
Tls = Annotated[bool, typer.Option(
    "--tls", help="Speak TLS with a certificate made for this run.")]
Faults = Annotated[Path | None, typer.Option(
    help="Plan of what goes wrong (TOML); docs/exchange.md.")]
Trace = Annotated[Path | None, typer.Option(
    help="Write everything that comes in to this file; no HTTP then.")]
ReplayTrace = Annotated[Path | None, typer.Option(
    "--replay", help="Run a trace again, print what each connection was sent.")]
Report = Annotated[bool, typer.Option(
    "--report", help="Print the stylised facts of the synthetic market, beside those of "
    "--data, and leave.")]
Duration = Annotated[str | None, typer.Option(
    help="Length of the market of --report, like 600s.")]
AsJson = Annotated[bool, typer.Option("--json", help="--report as JSON.")]
Child = Annotated[bool, typer.Option("--child", hidden=True)]
MoreData = Annotated[list[Path] | None, typer.Argument(
    metavar="[FILE]...", help="Further files of --data, in order.")]
Relay = Annotated[str | None, typer.Option(
    help="Play a venue's live public market: testnet, prod or a ws:// address.")]
RelayInstrument = Annotated[list[str] | None, typer.Option(
    "--relay-instrument", help="What of it: name or rule; repeatable.")]
RelayConfig = Annotated[Path | None, typer.Option(
    "--relay-config", help="Configuration that says how to reach it (ca_file, proxy).")]
