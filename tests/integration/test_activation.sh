#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A socket that somebody else has opened (LISTEN_FDS, as systemd does it for a port that the program
# may not open), beside one that the program opens. Usage: test_activation.sh PROGRAM
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
listen:
  - tcp: 127.0.0.1:PORT
  - tcp: 127.0.0.1:0
packs:
  - {name: house, link: "sim:lfp-4s,soc=64,seed=1", unit: 1}
END
python3 - "$program" "$folder/packbridge.yaml" <<'END'
import os, re, signal, socket, subprocess, sys

program, path = sys.argv[1:]
ours = socket.create_server(("127.0.0.1", 0))
port = ours.getsockname()[1]
text = open(path).read().replace("PORT", str(port))
open(path, "w").write(text)


def passed_on():
    os.dup2(ours.fileno(), 3)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execv(program, [program, "run", "-c", path])


out, into = os.pipe()
pid = os.fork()
if pid == 0:
    os.dup2(into, 2)
    passed_on()
os.close(into)
ours.close()  # from now on only the program has it
said = ""
with os.fdopen(out) as log:
    for line in log:
        said += line
        if "first reading" in line:
            break
    other = int(re.search(r"127.0.0.1:0, port (\d+)", said).group(1))
    for at in (port, other):
        with socket.create_connection(("127.0.0.1", at), 5) as client:
            client.sendall(bytes.fromhex("000100000006010300110001"))
            reply = client.recv(100)
            assert reply.hex() == "0001000000050103020280", reply.hex()
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0
END
