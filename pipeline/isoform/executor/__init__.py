"""Runs the tasks of a stage: in threads here, or on a Dask cluster.

    threads    local threads, each waiting for the child that does the work
    tasks      what crosses to a worker and back: JSON as bytes
    memory     what a task declares: learnt from records, else an estimate
    versions   what has to be the same on both sides
    cluster    the side that asks: sends tasks, shows events, cancels
    worker     the side that works: one function of bytes
    embedded   a cluster of worker processes on this machine, whose workers are undisturbed by Ctrl-C

Only cluster, worker and embedded import dask and distributed; nothing imports them before a scheduler is asked for.
"""

from isoform.executor.threads import run_all, run_each

__all__ = ["run_all", "run_each"]
