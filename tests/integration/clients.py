# SPDX-License-Identifier: MIT
"""What pymodbus reads from packbridge, function by function. Usage: clients.py PORT"""
import sys

from anymodbus import (Client, ModbusTcpClient, ReadDeviceInformationRequest, ReadExceptionStatusRequest,
                       ReportServerIdRequest, diag, exception)

client = Client(ModbusTcpClient("127.0.0.1", port=int(sys.argv[1])))
failed = 0


def expect(what, seen, wanted):
    global failed
    if seen != wanted:
        failed += 1
        print(f"{what}: {seen!r}, expected {wanted!r}")


registers = client.read("holding_registers", 0, 20).registers
expect("quality", registers[1], 1)
expect("state of charge", registers[17], 640)
expect("input registers", client.read("input_registers", 17, 1).registers, [640])
expect("discrete inputs", len(client.read("discrete_inputs", 0, 8).bits), 8)
expect("coils", len(client.read("coils", 0, 8).bits), 8)
expect("write coil", exception(client.write("coil", 0, True)), 2)
expect("write register", exception(client.write("register", 0, 1)), 2)
expect("write coils", exception(client.write("coils", 0, [True] * 9)), 2)
expect("write registers", exception(client.write("registers", 0, [1, 2])), 2)
expect("mask write", exception(client.mask_write(0, 1, 2)), 2)
expect("read and write", exception(client.read_and_write(0, 1, 0, [1])), 2)
expect("beyond the end", exception(client.read("holding_registers", 65535, 2)), 2)
expect("no such unit", exception(client.read("holding_registers", 0, 1, 99)), 0x0A)
expect("a silent pack's data", exception(client.read("holding_registers", 16, 1, 2)), 0x0B)
expect("a silent pack's state", client.read("holding_registers", 1, 1, 2).registers, [0])
expect("the gateway", client.read("holding_registers", 0, 1, 255).isError(), False)


def number(reply):
    message = getattr(reply, "message", None)
    if isinstance(message, bytes):
        return int.from_bytes(message, "big")
    return message[0] if isinstance(message, (list, tuple)) else message


expect("exception status", client.execute(ReadExceptionStatusRequest()).status, 0)
expect("exception status of old data", client.execute(ReadExceptionStatusRequest(), 2).status, 1)
expect("echo", number(client.execute(diag.ReturnQueryDataRequest(0xA537))), 0xA537)
expect("bus messages", number(client.execute(diag.ReturnBusMessageCountRequest())) > 15, True)
expect("exceptions", number(client.execute(diag.ReturnBusExceptionErrorCountRequest())), 9)
expect("clear", client.execute(diag.ClearCountersRequest()).isError(), False)
expect("exceptions then", number(client.execute(diag.ReturnBusExceptionErrorCountRequest())), 0)
expect("restart", exception(client.execute(diag.RestartCommunicationsOptionRequest(False))), 1)
server_id = client.execute(ReportServerIdRequest()).identifier
expect("server id", b"packbridge" in server_id and server_id.endswith(b"house"), True)
for code, objects in ((1, [0, 1, 2]), (2, [0, 1, 2, 4, 5, 6]), (3, [0, 1, 2, 4, 5, 6, 0x80])):
    reply = client.execute(ReadDeviceInformationRequest(code, 0))
    expect(f"identification {code}", sorted(reply.information), objects)
    expect("vendor", reply.information[0], b"packbridge")
expect("one object", client.execute(ReadDeviceInformationRequest(4, 6)).information, {6: b"house"})
expect("no such object", exception(client.execute(ReadDeviceInformationRequest(4, 9))), 2)
client.close()
sys.exit(failed != 0)
