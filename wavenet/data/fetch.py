"""One file from several addresses: what one of them breaks off, the next goes on with."""
import collections
import http.client
import sys
import time
import urllib.error
import urllib.request

import tqdm

TIMEOUT = 30      # seconds without a byte, at most
SLOWEST = 1000    # bytes a second, at least, over a minute
MINUTE = 60
ATTEMPTS = 10     # in all


def fetch(urls, limit, check):
    """Downloads one file.

    Where an address breaks off, the next one is asked for the rest; the one that broke off comes to
    its turn again after the others, if it had sent something. Where the whole is not what it should
    be, and came from more than one address, the last one is asked for all of it.

    Args:
        urls: addresses of the same file.
        limit: bytes it may have.
        check: called with the address and all bytes; its result is returned. Raises: ValueError for
            bytes that are not the file.

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
            _say('{} bytes are there: asking {} for the rest'.format(before, url))
        try:
            _download(url, content, limit)
            return check(url, bytes(content))
        except ValueError as error:
            reasons[url] = error
            content.clear()
            if before:
                _say('{}: starting from the beginning'.format(error))
                waiting.appendleft(url)
        except (OSError, http.client.HTTPException) as error:
            reasons[url] = error
            if len(content) > before:
                _say('{} broke off ({})'.format(url, error))
                waiting.append(url)
    raise OSError('; '.join('{}: {}'.format(url, error) for url, error in reasons.items()))


def _download(url, content, limit):
    """Appends to `content` what an address has after that, with a progress bar in a terminal."""
    request = urllib.request.Request(url)
    if content:
        request.add_header('Range', 'bytes={}-'.format(len(content)))
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if not content or error.code != 416:               # there is no such range in its file
            raise
        raise ValueError('{} has less than that'.format(url)) from error
    with response:
        answer = response.headers.get('Content-Range', '')
        if content and not answer.startswith('bytes {}-'.format(len(content))):
            _say('{} sends all of it'.format(url))
            content.clear()
        length = response.headers.get('Content-Length', '')
        total = len(content) + int(length) if length.isdigit() else None
        with tqdm.tqdm(total=total, initial=len(content), unit='B', unit_scale=True,
                       desc=url.rsplit('/', 1)[1], disable=not sys.stderr.isatty()) as bar:
            for chunk in _chunks(response):
                content += chunk
                bar.update(len(chunk))
                if len(content) > limit:
                    raise ValueError('{} has more than {} bytes'.format(url, limit))
    if total is not None and len(content) < total:
        raise OSError('it ended after {} of {} bytes'.format(len(content), total))


def _chunks(response):
    """What a response holds. Raises: OSError where it is too slow."""
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
                raise TimeoutError('it sends less than {} bytes a second'.format(SLOWEST))
            start, received = now, 0


def _say(message):
    print(message, file=sys.stderr, flush=True)
