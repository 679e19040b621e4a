"""Downloads one file from several addresses: if one breaks off, the next continues.

This is our own because pooch (1.9.0) supports neither mirrors nor resuming a broken download.
"""
import collections
import http.client
import sys
import time
import urllib.error
import urllib.request

import tqdm

TIMEOUT = 30      # most seconds without a byte
SLOWEST = 1000    # fewest bytes per second, over a minute
MINUTE = 60
ATTEMPTS = 10     # at all addresses together


def fetch(urls, limit, check):
    """Downloads one file.

    If an address breaks off, the next one is asked for the rest. An address that has sent something
    before it broke off is asked again after the others. If the whole file is wrong and came from
    several addresses, the last one is asked for all of it.

    Args:
        urls: addresses of the same file.
        limit: most bytes that the file may have.
        check: called with the address and all bytes; raises ValueError if they are not the file.

    Returns: the result of `check`.

    Raises: OSError with the reasons of all addresses.
    """
    content = bytearray()
    reasons = {}
    waiting = collections.deque(urls)
    for _ in range(ATTEMPTS):
        if not waiting:
            break
        url = waiting.popleft()
        before = len(content)
        if before:
            _say(f'{before} bytes have arrived: asking {url} for the rest')
        try:
            _download(url, content, limit)
            return check(url, bytes(content))
        except ValueError as error:
            reasons[url] = error
            content.clear()
            if before:
                _say(f'{error}: starting from the beginning')
                waiting.appendleft(url)
        except (OSError, http.client.HTTPException) as error:
            reasons[url] = error
            if len(content) > before:
                _say(f'{url} broke off ({error})')
                waiting.append(url)
    raise OSError('; '.join(f'{url}: {error}' for url, error in reasons.items()))


def _download(url, content, limit):
    """Appends the rest of a file to the bytes in `content`, with a progress bar in a terminal.

    Raises: ValueError if this cannot be the rest of `content`; OSError if the address breaks off.
    """
    response = _open(url, len(content))
    with response:
        answer = response.headers.get('Content-Range', '')
        if content and not answer.startswith(f'bytes {len(content)}-'):
            _say(f'{url} sends the whole file')
            content.clear()
        length = response.headers.get('Content-Length', '')
        total = len(content) + int(length) if length.isdigit() else None
        with tqdm.tqdm(total=total, initial=len(content), unit='B', unit_scale=True,
                       desc=url.rsplit('/', 1)[1], disable=not sys.stderr.isatty()) as bar:
            for chunk in _chunks(response):
                content += chunk
                bar.update(len(chunk))
                if len(content) > limit:
                    raise ValueError(f'{url} has more than {limit} bytes')
    if total is not None and len(content) < total:
        raise OSError(f'it ended after {len(content)} of {total} bytes')


def _open(url, start):
    """Asks an address for its file, from byte `start` on."""
    request = urllib.request.Request(url)
    if start:
        request.add_header('Range', f'bytes={start}-')
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if not start or error.code != 416:  # 416: its file has no such range
            raise
        raise ValueError(f'{url} has no more than {start} bytes') from error


def _chunks(response):
    """Yields the bytes of a response in chunks. Raises: OSError if they come too slowly."""
    start, received = time.monotonic(), 0
    while True:
        chunk = response.read1(1 << 16)
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        now = time.monotonic()
        if now - start > MINUTE:
            if received < SLOWEST * (now - start):
                raise TimeoutError(f'it sends less than {SLOWEST} bytes per second')
            start, received = now, 0


def _say(message):
    print(message, file=sys.stderr, flush=True)
