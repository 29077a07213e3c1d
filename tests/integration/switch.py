# SPDX-License-Identifier: MIT
"""A daemon's control socket for `packbridge switch`: answers orders, and then the states given, one a question.
The last one goes on. Each line that was asked is appended to LOG. Usage: switch.py SOCKET LOG ORDER_ANSWER STATE...
STATE: state[/reason[/owner[/inhibit_charge]]], e.g. confirmed//local/1"""
import json
import os
import socket
import sys

path, log, answer, states = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]


def battery(text):
    state, reason, owner, charge = (text.split("/") + [""] * 3)[:4]
    return {"name": "house", "quality": "good", "fields": {"charge_fet": charge != "1", "discharge_fet": True},
            "control": {"allowed": "charge", "inhibit_charge": charge == "1", "inhibit_discharge": False, "state": state,
                        "reason": reason or None, "owner": owner or None, "lease_s": None, "age_s": 1}}


with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(path + ".new")
    listener.listen(8)
    os.rename(path + ".new", path)
    while True:
        client, _ = listener.accept()
        with client:
            line = client.recv(256).decode().rstrip("\n")
            with open(log, "a", encoding="utf-8") as out:
                print(line, file=out)
            if line.count(" ") > 1:
                client.sendall((answer + "\n").encode())
                continue
            now = states.pop(0) if len(states) > 1 else states[0]
            reply = {"switches": [battery(now)] if now != "none" else []}
            client.sendall((json.dumps(reply) + "\n").encode())
