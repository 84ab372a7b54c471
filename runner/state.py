"""Where a maker keeps what must outlive it, and the lock that keeps a second one out."""

import fcntl
import hashlib
import mmap
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from runner.config import Config

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 the name is made private below
TEMPORARY = "mm-embedded-"
LEFT_S = 3600.0             # so long may somebody look at what a killed maker left


class StateError(Exception):
    """The state folder cannot be used; the text says why and what to do."""


def state_path(config: Config, client_id: str) -> Path:
    """Return the state folder of a venue's host and port, client id and instance."""
    if config.runtime.state_dir:
        return Path(config.runtime.state_dir).expanduser()
    parts = urlsplit(config.venue.url)
    venue = f"{parts.hostname}_{parts.port}" if parts.port else str(parts.hostname)
    folder = state_base() / plain(venue) / plain(client_id)
    return folder / plain(config.runtime.instance) if config.runtime.instance else folder


def state_base() -> Path:
    """Return the folder of all that is kept for this user."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mm"


def plain(name: str) -> str:
    """Return a name fit for a folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "_"


class StateFolder:
    """A locked state folder, with a companion in shared memory for the pages.

    path: files that stay (journal). shared: telemetry page and journal ring, in tmpfs because a
    page of a disk file stalls its writer while the kernel writes it back.
    """

    def __init__(self, path: Path, shared: Path, locks: list[int], *, temporary: bool,
                 account: Path | None = None) -> None:
        self.path = path
        self.shared = shared
        self.temporary = temporary
        self.locks = locks
        self.account = account      # the lock file in shared memory

    @classmethod
    def open(cls, config: Config, client_id: str) -> "StateFolder":
        """Make and lock the folder; temporary with the embedded exchange unless one is named.

        Raises StateError where it cannot be written or another maker holds it.
        """
        temporary = config.embedded and not config.runtime.state_dir
        locks: list[int] = []
        try:
            account = account_lock(config, client_id)
            if not config.embedded:
                locks.append(acquire(account,
                                     f"trades {client_id} at this venue; cancel-all is "
                                     "account-wide: stop it, or use a sub-account of its own"))
            if temporary:
                sweep()
                path = Path(tempfile.mkdtemp(prefix=TEMPORARY))
            else:
                path = state_path(config, client_id)
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            locks.append(acquire(path / "lock", f"uses {path}; stop it, or give this one "
                                 "another runtime.instance"))
            shared = shared_path(path)
            shared.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"cannot use the state folder {error.filename}: {error.strerror}; "
                             "set runtime.state_dir to a folder you can write") from None
        except StateError:
            if locks and not config.embedded:
                account.unlink(missing_ok=True)
            for lock in locks:
                os.close(lock)
            raise
        return cls(path, shared, locks, temporary=temporary,
                   account=None if config.embedded else account)

    def close(self, *, keep_shared: bool = False) -> None:
        """Release the lock; drop the pages unless they still hold something, and a temporary.

        The pages of a temporary folder always go: no later maker would find them.
        """
        if not keep_shared or self.temporary:
            shutil.rmtree(self.shared, ignore_errors=True)
        elif self.shared.exists() and not any(self.shared.iterdir()):
            self.shared.rmdir()
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        if self.account is not None:
            self.account.unlink(missing_ok=True)    # while it is still locked
        for lock in self.locks:
            os.close(lock)


def sweep() -> None:
    """Remove temporary folders of makers that were killed: no later maker would find them.

    A folder whose lock is held is in use, and one that is young is let be.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        try:
            lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue                # another user's, or not made yet
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(lock).st_mtime > LEFT_S:
                shutil.rmtree(shared_path(path), ignore_errors=True)
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def account_lock(config: Config, client_id: str) -> Path:
    """Return the lock file of one account at one venue, the same for every state folder."""
    parts = urlsplit(config.venue.url)
    mark = hashlib.sha256(f"{parts.hostname}:{parts.port}:{client_id}".encode()).hexdigest()[:12]
    folder = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    return folder / f"mm-{os.getuid()}-account-{mark}.lock"


def acquire(path: Path, conflict: str) -> int:
    """Lock a file for the life of this process and write our process id into it.

    conflict: what another holder does with it, and the remedy.
    """
    while True:
        # Not inherited by children: the lock must end with the reactor, not with its helpers.
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise StateError(f"another maker (process {holder}) {conflict}") from None
        if is_still(path, lock):
            break
        os.close(lock)      # its holder left meanwhile and took the name with it
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def is_still(path: Path, lock: int) -> bool:
    """Say whether a path names the file that was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(lock))
    except FileNotFoundError:
        return False


def shared_path(path: Path) -> Path:
    """Return the folder in tmpfs that belongs to a state folder."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        return path / "shared"
    mark = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    return SHARED_MEMORY / f"mm-{os.getuid()}-{mark}"


def shared_pattern() -> str:
    """Return the pattern of the names shared_path gives in tmpfs."""
    return f"mm-{os.getuid()}-" + 12 * "[0-9a-f]"


def map_file(path: Path, size: int) -> mmap.mmap:
    """Map a file of exactly that size, its pages reserved and present."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Reserved now: a full tmpfs shall fail here, not as SIGBUS under the engine.
        os.posix_fallocate(handle, 0, size)
        return mmap.mmap(handle, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
    except OSError as error:
        raise StateError(f"cannot reserve {size} bytes in {path.parent}: {error.strerror}; free "
                         "space there or lower journal.ring_mib") from None
    finally:
        os.close(handle)
