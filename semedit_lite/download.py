"""The way to the Hub: one file of a repository, in bounded time, or one sentence that says why not.

huggingface_hub's `hf_hub_download` is not used: it asks a silent Hub for six minutes, and one whose
answers break off for ever. Its session, addresses, login and settings are (HF_ENDPOINT, HF_TOKEN).
HF_HUB_ETAG_TIMEOUT is the time for an answer to begin, HF_HUB_DOWNLOAD_TIMEOUT for each silence
within it: 10 seconds where they are not set.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from semedit_lite.errors import InputError

OWNER = "semedit"  # of the repositories on the Hub
LARGEST = 25_000_000  # bytes of one file there
SLOWEST, GRACE = 20_000, 10  # bytes per second that a download must keep up, after some seconds


class HubError(InputError):
    """Weights cannot be had from the Hub. `reason` is a clause; `silent` tells that nobody
    answered, so that whoever asks for other weights waits in vain."""

    def __init__(self, name: str, reason: str, advice: str, silent: bool = False) -> None:
        super().__init__(f"The weights '{name}' could not be fetched: {reason}; {advice}.")
        self.reason, self.silent = reason, silent


def offline() -> bool:
    """True where the user refused the network, by OFFLINE=1 or the Hub's own HF_HUB_OFFLINE=1."""
    return any(os.environ.get(key, "0") not in ("", "0") for key in ("OFFLINE", "HF_HUB_OFFLINE"))


def get(name: str, revision: str, file: str) -> bytes:
    """A file of the repository NAME at a commit; HubError where it cannot be had."""
    from tqdm import tqdm

    content, start = bytearray(), time.monotonic()
    with (
        _answer("GET", name, revision, file) as response,
        tqdm(desc=file, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for part in response.iter_bytes():
            content += part
            bar.update(len(part))
            if len(content) > LARGEST:
                raise HubError(name, f"{file} on the Hub is too large", "update semedit")
            if time.monotonic() - start > GRACE + len(content) / SLOWEST:
                raise HubError(name, "the Hub sends too slowly", "try again later", silent=True)
    return bytes(content)


def ask(name: str, revision: str) -> None:
    """HubError where the Hub does not offer the repository NAME at a commit just now."""
    with _answer("HEAD", name, revision, "config.json"):
        pass


@contextmanager
def _answer(method: str, name: str, revision: str, file: str) -> Iterator[Any]:
    """The Hub's answer, whose body is still to be read. A failure, also while that is done, is a
    HubError."""

    def fail(reason: str, advice: str = "try again later", silent: bool = False) -> HubError:
        return HubError(name, reason, advice, silent)

    def send() -> Any:
        url = hf_hub_url(f"{OWNER}/{name}", file, revision=revision)
        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        wait = constants.HF_HUB_DOWNLOAD_TIMEOUT
        request = session.build_request(method, url, headers=headers, timeout=wait)
        return session.send(request, stream=True)

    if offline():
        again = f"run `semedit weights fetch {name}` once without it"
        raise fail("OFFLINE=1 or HF_HUB_OFFLINE=1 refuses the network", again)
    from huggingface_hub import constants, get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    session, response = get_session(), None
    try:
        response = _in_time(constants.HF_HUB_ETAG_TIMEOUT, send)
        match response.status_code:
            case 200:
                pass
            case 401 | 403:
                raise fail(
                    f"the Hub does not show '{OWNER}/{name}' to everyone",
                    "log in with `hf auth login`, and ask for access on its page",
                )
            case 404:
                raise fail(f"the Hub has no '{OWNER}/{name}' as pinned any more", "update semedit")
            case code:
                raise fail(f"the Hub answered with error {code}")
        if "html" in response.headers.get("Content-Type", ""):
            raise fail("a web page came in place of a file", "log in to the network, if it asks")
        yield response
    except HubError:
        raise
    except Exception as error:  # of httpx, which has some outside its HTTPError, or a TimeoutError
        if "Timeout" in type(error).__name__:
            why = f"did not answer within {constants.HF_HUB_ETAG_TIMEOUT} s"
            if response is not None:
                why = f"fell silent for {constants.HF_HUB_DOWNLOAD_TIMEOUT} s"
            raise fail(f"the Hub {why}", silent=True) from None
        if response is None:
            why = f"{constants.ENDPOINT} cannot be reached"
            raise fail(why, "check the connection and HF_ENDPOINT", silent=True) from None
        raise fail("the connection broke") from None
    finally:
        if response is not None:
            response.close()


def _in_time(seconds: float, send: Callable[[], Any]) -> Any:
    """What `send()` returns; TimeoutError after `seconds`. In a thread, since neither a name
    look-up nor a walk through a host's addresses can be timed."""
    future = Future()

    def work() -> None:
        try:
            future.set_result(send())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(seconds)
