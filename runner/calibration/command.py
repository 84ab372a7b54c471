"""`mm calibrate`: parameters from a recording, as lines of a config."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from connectors.replay.reader import open_recording
from runner.calibration.fragment import as_dict, as_toml, calibrate
from runner.calibration.regimes import regime_sigmas
from runner.calibration.tape import tape_named
from runner.config import ConfigError, load
from runner.options import EXIT_CLEAN, EXIT_USAGE
from runner.tearsheet.run_data import RunError, read_run


def main(data: Sequence[Path], config: Path | None, sets: Sequence[str], *,
         instrument: str | None, half_life_s: float | None, run: Path | None = None,
         out: Path | None, as_json: bool) -> int:
    """Calibrate and print, or write to a file; the exit code."""
    try:
        told = load(config, tuple(sets), connects=False)
        recording = open_recording(list(data))
        tape = tape_named(recording, instrument)
        found = calibrate(tape, told, half_life_s, read_run(run) if run is not None else None,
                          regime_sigmas(recording, tape.name, told))
        text = as_toml(found)
        if out is not None:
            out.write_text(text)
    except ConfigError as error:
        return refuse(error.lines)
    except OSError as error:
        return refuse([f"{error.filename}: {error.strerror}; check the path"])
    except (RunError, ValueError) as error:
        return refuse([str(error)])
    if as_json:
        sys.stdout.write(msgspec.json.encode(as_dict(found)).decode() + "\n")
    else:
        sys.stdout.write(f"{out}\n" if out is not None else text)
    return EXIT_CLEAN


def refuse(lines: Sequence[str]) -> int:
    for line in lines:
        sys.stderr.write(f"mm calibrate: {line}\n")
    return EXIT_USAGE
