# SPDX-License-Identifier: MIT
"""Lines between the daemon and a board: they keep the order of what they carry, and have bad days."""
import asyncio
import collections
import os
import tty

from clock import now_ms

PIECES_S = 20  # pieces a second on a line with a rate: it is a UART that sends byte by byte


class Line:
    """What goes up is a request at the far end after @up_ms. What comes back goes through one queue: it is @down_ms
    on its way, comes at @rate bytes a second, and is held back while the line is stalled. Nothing overtakes. While
    nobody is connected, a line that keeps bytes has them for the next connection, others lose them. The queue
    holds @room bytes, frames beyond that are lost."""

    def __init__(self, board, dice, rate=0, down_ms=0, up_ms=0, keeps=False, lose=0.0, room=0):
        self.board, self.dice = board, dice
        self.rate, self.down_ms, self.up_ms, self.keeps, self.lose, self.room = rate, down_ms, up_ms, keeps, lose, room
        self.front = None
        self.connected = False
        self.stalled_until = 0
        self.break_for_ms = 0  # the connection breaks for so long when the next frame is under way
        self.queue, self.queued, self.woken = collections.deque(), 0, asyncio.Event()
        self.kept, self.kept_until = [], 0
        self.tasks = [asyncio.create_task(self.pump()), asyncio.create_task(self.stream())]

    # ---- up ----

    def up(self):
        """The daemon has connected. What was kept comes at once, after a while or before the first answer."""
        self.connected = True
        wait_ms = self.dice.choice((0, 400, 1 << 40)) if self.kept else 0
        self.kept_until = now_ms() + wait_ms
        if wait_ms == 0:
            self.flush()
        elif wait_ms == 400:
            asyncio.get_running_loop().call_later(0.4, self.release)

    def release(self):
        if self.connected and self.kept_until:
            self.kept_until = 0
            self.flush()

    def down(self):
        self.connected = False
        self.board.held = b""
        if not self.keeps:
            self.queue.clear()
            self.queued = 0

    def wrote(self, data):
        for request in self.board.take(data):
            if self.up_ms:
                asyncio.get_running_loop().call_later(self.up_ms / 1000, self.answer, request)
            else:
                self.answer(request)

    def answer(self, request):
        if self.dice.random() < self.lose:
            return
        self.kept_until = 0
        for frame in self.board.answer(request):
            self.push(frame)
        self.maybe_break()

    def maybe_break(self):
        if self.queue and self.break_for_ms and self.connected:
            for_ms, self.break_for_ms = self.break_for_ms, 0
            self.connected = False  # what is under way is not delivered any more
            self.front.break_off(for_ms)

    # ---- down ----

    def push(self, frame):
        if self.dice.random() < self.lose or (self.room and self.queued + len(frame) > self.room):
            return
        self.queue.append((now_ms() + self.down_ms, frame))
        self.queued += len(frame)
        self.woken.set()

    async def stream(self):
        """What the board sends by itself."""
        while True:
            wait_ms = self.board.due_ms - now_ms()
            if wait_ms > 0:
                await asyncio.sleep(min(wait_ms, 50) / 1000)
            else:
                self.push(self.board.cells())
                self.maybe_break()
                self.board.due_ms += self.board.period_ms

    def flush(self):
        kept, self.kept = self.kept, []
        for piece in kept:
            self.front.send(piece)

    def deliver(self, piece):
        if self.connected and now_ms() >= self.kept_until:
            self.flush()
            self.front.send(piece)
        elif self.keeps:
            self.kept.append(piece)

    async def held_back(self, due):
        while True:
            wait = max(due, self.stalled_until) - now_ms()
            if wait <= 0:
                return
            await asyncio.sleep(wait / 1000)

    async def pump(self):
        loop = asyncio.get_running_loop()
        free = 0  # when the line has sent what it was given, by the loop's clock
        while True:
            while not self.queue:
                self.woken.clear()
                await self.woken.wait()
            due, frame = self.queue[0]
            await self.held_back(due)
            if not self.queue or self.queue[0][1] is not frame:
                continue  # the connection has ended meanwhile
            self.queue.popleft()
            self.queued -= len(frame)
            size = max(1, self.rate // PIECES_S) if self.rate else len(frame)
            free = max(free, loop.time())
            for at in range(0, len(frame), size):
                piece = frame[at:at + size]
                if self.rate:
                    free += len(piece) / self.rate
                    await asyncio.sleep(max(0, free - loop.time()))
                self.deliver(piece)

    def stop(self):
        for task in self.tasks:
            task.cancel()


class Tcp:
    """Behind a serial device server."""

    def __init__(self, line):
        self.line, self.port, self.writer, self.server = line, 0, None, None
        line.front = self

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    @property
    def link(self):
        return "tcp:127.0.0.1:%d" % self.port

    async def serve(self, reader, writer):
        if self.writer:  # a device server has one client
            self.writer.transport.abort()
            self.line.down()
        self.writer = writer
        self.line.up()
        try:
            while True:
                data = await reader.read(4096)
                if not data:
                    break
                self.line.wrote(data)
        except ConnectionError:
            pass
        finally:
            if self.writer is writer:
                self.writer = None
                self.line.down()
            writer.close()

    def send(self, data):
        if self.writer:
            self.writer.write(data)

    def break_off(self, for_ms):
        asyncio.get_running_loop().create_task(self.away(for_ms))

    async def away(self, for_ms):
        self.server.close()
        if self.writer:
            self.writer.transport.abort()
        await asyncio.sleep(for_ms / 1000)
        await self.start()


class Serial:
    """A pair of pseudo terminals; the daemon's name for its end stays when the adapter is plugged out and in."""

    def __init__(self, line, path):
        self.line, self.path, self.master = line, path, -1
        line.front = self

    @property
    def link(self):
        return "serial:" + self.path

    async def start(self):
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        if os.path.lexists(self.path):
            os.unlink(self.path)
        os.symlink(os.ttyname(slave), self.path)
        self.slave = slave  # held, so that the master never sees a hang-up
        asyncio.get_running_loop().add_reader(self.master, self.readable)
        self.line.up()

    def readable(self):
        try:
            self.line.wrote(os.read(self.master, 4096))
        except OSError:
            pass

    def send(self, data):
        if self.master < 0:
            return
        try:
            os.write(self.master, data)
        except BlockingIOError:
            pass  # nobody reads: an adapter's buffer is as small

    def break_off(self, for_ms):
        asyncio.get_running_loop().create_task(self.away(for_ms))

    async def away(self, for_ms):
        asyncio.get_running_loop().remove_reader(self.master)
        os.unlink(self.path)
        os.close(self.slave)
        os.close(self.master)
        self.master = -1
        self.line.down()
        await asyncio.sleep(for_ms / 1000)
        await self.start()


class Ble:
    """A pack of fake_bluez whose board is here. Its module keeps what it has no central for, as some do."""

    def __init__(self, line, mac, air):
        self.line, self.mac, self.air = line, mac, air
        line.front = self

    @property
    def link(self):
        return "ble:" + self.mac

    async def start(self):
        return

    def wrote(self, data):
        if not self.line.connected:
            self.line.up()
        self.line.wrote(data)

    def down(self):
        self.line.down()

    def send(self, data):
        self.air.say("notify %s %s" % (self.mac, data.hex()))

    def break_off(self, for_ms):
        self.air.say("out " + self.mac)
        asyncio.get_running_loop().call_later(for_ms / 1000, self.air.say, "in " + self.mac)
