"""Work on many faces, on all cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch

Item, Result = TypeVar("Item"), TypeVar("Result")


def spread(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` done to each item, by as many processes as there are cores, of one thread each: a
    network that sees one face at a time gains little from a second thread."""
    from tqdm import tqdm

    items = list(items)
    with ProcessPoolExecutor(
        os.cpu_count(), get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        return list(tqdm(pool.map(work, items), total=len(items), desc=work.__name__))
