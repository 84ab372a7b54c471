"""Configuration keys of what is shown, told and recorded."""

from typing import Annotated, Literal

from runner.key_types import Section, key


class Telemetry(Section, frozen=True):
    """`[telemetry]`: what is shown and told."""

    view_s: Annotated[float, key("s", "Time between two pictures of the terminal view.",
                                 0.05, 60.0)] = 0.25
    line_s: Annotated[float, key("s", "Time between two lines where the output is no terminal.",
                                 0.1, 3600.0)] = 5.0
    prometheus: Annotated[bool, key("", "Serve metrics and send alerts, from a process of its own.")
                          ] = True
    prometheus_host: Annotated[str, key("address", "Address the metrics are served at.")
                               ] = "127.0.0.1"
    prometheus_port: Annotated[int, key("port", "Port the metrics are served at; 0: a free one.",
                                        0, 65535)] = 9464
    memory_limit_mib: Annotated[int, key("MiB",
        "Memory of the process that trades beyond which an alert fires.", 32, 1048576)] = 512
    fill_silence_h: Annotated[float, key("h",
        "No own fill for this long raises an alert; 0: never.", 0.0, 8760.0)] = 6.0
    webhook_url: Annotated[str, key("URL",
        "Where alerts are posted: env:NAME or file:PATH; empty: nowhere.")] = ""
    webhook_shape: Annotated[Literal["generic", "telegram", "slack"],
                             key("", "What the receiver of the alerts understands.")] = "generic"
    webhook_chat: Annotated[str, key("", "Chat id of the telegram shape.")] = ""
    webhook_per_min: Annotated[int, key("1/min", "Messages a minute at most; the rest is counted.",
                                        1, 60)] = 6
    webhook_repeat_s: Annotated[float, key("s", "An alert that goes on is told again after this.",
                                           10.0, 604800.0)] = 3600.0
    log_mib: Annotated[int, key("MiB", "Size at which mm.log is rotated; four older are kept.",
                                1, 10240)] = 64


class JournalKeys(Section, frozen=True):
    """`[journal]`: the record of all inputs and outputs."""

    enabled: Annotated[bool, key("", "Record every frame in and every message out.")] = True
    ring_mib: Annotated[int, key("MiB", "Ring between reactor and recorder; a power of two.",
                                 1, 1024)] = 16
    report: Annotated[bool, key("", "End a session with its page, report.html in the state folder; "
                                "a session that is headless and without an end has none.")] = True
    dir: Annotated[str, key("path", "Folder of the segments; empty: journal/ in the state "
                            "folder.")] = ""
    segment_mib: Annotated[int, key("MiB", "Size at which the next segment is begun.",
                                    1, 10240)] = 64
    quota_mib: Annotated[int, key("MiB", "The oldest segments beyond this are deleted; 0: never.",
                                  0, 16777216)] = 20480
