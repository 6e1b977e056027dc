"""Start the `mirnbdev` command, also as `python -m mirnbdev`. Signals are heeded before the slow imports begin."""

import os
import signal
import time
import warnings

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 5  # s after a signal in which others are not heeded, so that nothing disturbs the cleaning up
_last = -GRACE


def leave(number, frame):
    "End at once: nothing is open yet, and no other process has been started."
    os.write(2, b'mirnbdev: interrupted; nothing was written\n')
    os._exit(128 + number)


def interrupt(number, frame):
    "Take the way of Ctrl-C, with the number of the signal."
    global _last
    if time.monotonic() - _last > GRACE:
        _last = time.monotonic()
        raise KeyboardInterrupt(number)


def heed(handler):
    "Let `handler` have all signals but those that whoever started the command told it to ignore."
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def main() -> None:
    "Run the `mirnbdev` command."
    heed(leave)
    warnings.filterwarnings('ignore', r'\d+ tasks (have|which) ')  # joblib, of a stream that is stopped
    from mirnbdev.cli import app

    heed(interrupt)
    app(prog_name='mirnbdev')


if __name__ == '__main__':
    main()
