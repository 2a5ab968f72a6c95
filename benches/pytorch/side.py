"""A process that measures, as `card.py` runs it."""

import json
import queue
import subprocess
import tempfile
import threading
import time


class Failed(Exception):
    """Why a side has no figures."""


class Side:
    """A process that does a block of steps whenever it gets a line. `failed` says why it no longer does."""

    def __init__(self, name, command):
        self.name, self.command = name, command
        self.seconds, self.about, self.memory, self.failed = [], None, None, None
        self.process = None

    def start(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.lines = queue.SimpleQueue()
        try:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
            )
        except OSError as error:
            self.failed = str(error)
            return
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def reply(self, seconds):
        try:
            line = self.lines.get(timeout=max(seconds, 0))
        except queue.Empty:
            raise Failed("it took too long") from None
        if line is None:
            code = self.process.wait()
            self.errors.seek(0)
            said = [said for said in self.errors.read().splitlines() if said.strip()]
            raise Failed(said[-1] if said else f"ended with {code}")
        reply = json.loads(line)
        if "failed" in reply:
            raise Failed(reply["failed"])
        return reply

    def ready(self, seconds):
        """Waits for the line that says who it is."""
        if not self.failed:
            self.attempt(lambda: setattr(self, "about", self.reply(seconds)["side"]))

    def block(self, seconds):
        if not self.failed:
            self.attempt(lambda: self.do_block(seconds))

    def do_block(self, seconds):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        block = self.reply(seconds)
        self.seconds.append(block["seconds"] / block["steps"])
        self.memory = held(self.process.pid, block)

    def attempt(self, do):
        try:
            do()
        except (Failed, OSError, ValueError, KeyError) as error:
            self.failed = str(error) or type(error).__name__
            self.end()

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def driver_memory(pid):
    """MiB of a process on the card, as the driver counts them; none where it does not say."""
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        rows = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
        return next((int(used) for owner, used in (row.split(",") for row in rows) if int(owner) == pid), None)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def peak_of_process(pid):
    """MiB of the host's memory that a process has held at most."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM:")), None)
    except OSError:
        return None


def held(pid, block):
    """MiB that a process holds, and who counts them."""
    driver = driver_memory(pid)
    if driver is not None:
        return driver, "driver"
    if block.get("bytes"):
        return block["bytes"] >> 20, "device"
    return peak_of_process(pid), "host"


def begin(sides, patience):
    for side in sides:
        side.start()
    end = time.monotonic() + patience
    for side in sides:
        side.ready(end - time.monotonic())


def measure(sides, rounds, patience):
    """Blocks of each side in turn. A side that is not ready after `patience` seconds, or fails, is left out from there on."""
    ours = sides[0]
    # Alone: it times kernels to choose among them. Its first block counts only when there are no others.
    begin([ours], patience)
    ours.block(patience)
    begin(sides[1:], patience)
    ours.seconds.clear()
    for _ in range(rounds):
        for side in sides:
            side.block(patience)
