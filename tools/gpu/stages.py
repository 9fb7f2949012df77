"""Stages of a check that share a limited time: each is timed, ended when its time is up, left out when too little is
left."""

import os
import signal
import subprocess
import time


class Failure(Exception):
    """The stage failed; the text says how."""


class Skipped(Exception):
    """The stage cannot be done here; the text says why."""


class Stages:
    """Runs functions as stages until `end` of the monotonic clock; `results` is what became of each."""

    def __init__(self, end, folder, say):
        self.end = end
        self.folder = folder  # of the logs
        self.say = say
        self.results = []
        self.limit = 0  # when the present stage must end
        self.name = ""

    def left(self):
        return max(0.0, self.end - time.monotonic())

    def run(self, name, needs, most, function):
        """`needs` seconds must be left for it to begin; it gets `most`. Returns what the function returned, or None."""
        result = {"stage": name, "status": "ok", "seconds": 0.0, "message": "", "figures": None}
        self.results.append(result)
        self.name, start = name, time.monotonic()
        self.limit = min(self.end, start + most)
        try:
            if self.left() < needs:
                raise Skipped(f"{self.left():.0f} s were left, {needs:.0f} s are needed")
            self.say(f"{name} ...")
            result["figures"] = function()
        except Failure as failure:
            result["status"], result["message"] = "failed", str(failure)
        except Skipped as reason:
            result["status"], result["message"] = "skipped", str(reason)
        result["seconds"] = round(time.monotonic() - start, 1)
        message = result["message"] and f": {result['message']}"
        self.say(f"{name}: {result['status']}, {result['seconds']} s{message}")
        return result["figures"]

    def command(self, *words, environment=None, accept=(0,), log=None):
        """Runs a command within the stage's time; returns its output, of which a copy goes to LOG.log. One that ends
        with 77 has nothing to do here, as for CTest."""
        words = [str(word) for word in words]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
                                   env=os.environ | (environment or {}))
        try:
            output, errors = process.communicate(timeout=max(0.1, self.limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            raise Failure(f"{' '.join(words)}: not done in the time it had") from None
        finally:
            if process.returncode is not None:
                with open(self.folder / f"{log or self.name.replace(' ', '-')}.log", "a", encoding="utf-8") as file:
                    file.write(f"$ {' '.join(words)}\n{output}{errors}[status {process.returncode}]\n")
        if process.returncode == 77:
            raise Skipped(last_line(errors) or last_line(output) or "said so itself (77)")
        if process.returncode not in accept:
            raise Failure(f"{words[0]} ended with {process.returncode}: {last_line(errors) or last_line(output)}")
        return output


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
