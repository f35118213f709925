"""Work on many faces, on all cores."""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch

from semedit_lite.hub import write_beside

Item, Result = TypeVar("Item"), TypeVar("Result")


def spread(
    work: Callable[[Item], Result], items: Iterable[Item], folder: Path | None = None
) -> list[Result]:
    """`work` done to each item, by as many processes as there are cores, of one thread each: a
    network that sees one face at a time gains little from a second thread.

    With a `folder` each result, which JSON can say, is kept there: what was broken off goes on
    where it was.
    """
    from tqdm import tqdm

    items = list(items)
    done = work if folder is None else partial(kept, work, folder)
    with ProcessPoolExecutor(
        os.cpu_count(), get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        return list(tqdm(pool.map(done, items), total=len(items), desc=work.__name__))


def kept(work: Callable[[Item], Result], folder: Path, item: Item) -> Result:
    """`work` done to a number or a file, or what that gave before."""
    path = folder / f"{work.__name__}-{Path(str(item)).stem}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    result = work(item)
    folder.mkdir(parents=True, exist_ok=True)
    write_beside(path, lambda file: file.write_text(json.dumps(result), encoding="utf-8"))
    return result
