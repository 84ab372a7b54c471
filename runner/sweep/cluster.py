"""Jobs on a Dask cluster."""

from collections.abc import Iterator, Sequence

import distributed

from runner.sweep.jobs import Job, JobError, Outcome, run_job

CONNECT_S = 10.0
WORKER_S = 60.0         # a cluster that has just been started may still wait for its workers


class Cluster:
    """Runs jobs on the workers of a Dask scheduler."""

    def __init__(self, address: str, timeout_s: float = CONNECT_S) -> None:
        """Connect; JobError where nobody answers or nobody works."""
        try:
            self.client = distributed.Client(address, timeout=timeout_s)
        except (OSError, ValueError) as error:
            raise JobError(f"--cluster {address}: {error}; start one with `dask scheduler` and "
                           "`dask worker ADDRESS --nthreads 1`") from None
        try:
            self.client.wait_for_workers(1, timeout=WORKER_S)
        except TimeoutError:
            self.client.close()
            raise JobError(f"--cluster {address}: it has no worker; start some with "
                           f"`dask worker {address} --nthreads 1`") from None

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Yield every job with its outcome, in the order they end."""
        running = {self.client.submit(run_job, job, key=f"mm-{job.key}", retries=1): job
                   for job in jobs}
        for future in distributed.as_completed(list(running)):
            try:
                yield running[future], future.result()
            except ModuleNotFoundError as error:
                raise JobError(f"a worker of the cluster has no {error.name}; install mm there, "
                               "the same version") from None
            except distributed.KilledWorker as error:
                raise JobError(f"the cluster's workers died of a job: {error}; what is done is "
                               "kept: run the same command again") from None
            future.release()

    def close(self) -> None:
        """Leave; the cluster stays."""
        self.client.close()
