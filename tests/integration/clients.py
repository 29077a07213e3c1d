# SPDX-License-Identifier: MIT
"""What pymodbus reads from packbridge, function by function. Usage: clients.py PORT"""
import sys

from pymodbus import diag_message as diag
from pymodbus.client import ModbusTcpClient
from pymodbus.mei_message import ReadDeviceInformationRequest
from pymodbus.other_message import ReadExceptionStatusRequest, ReportSlaveIdRequest

client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
assert client.connect()
failed = 0


def expect(what, seen, wanted):
    global failed
    if seen != wanted:
        failed += 1
        print(f"{what}: {seen!r}, expected {wanted!r}")


def exception(reply):
    return getattr(reply, "exception_code", None)


house = {"slave": 1}
registers = client.read_holding_registers(0, 20, **house).registers
expect("quality", registers[1], 1)
expect("state of charge", registers[17], 640)
expect("input registers", client.read_input_registers(17, 1, **house).registers, [640])
expect("discrete inputs", len(client.read_discrete_inputs(0, 8, **house).bits), 8)
expect("coils", len(client.read_coils(0, 8, **house).bits), 8)
expect("write coil", exception(client.write_coil(0, True, **house)), 2)
expect("write register", exception(client.write_register(0, 1, **house)), 2)
expect("write coils", exception(client.write_coils(0, [True] * 9, **house)), 2)
expect("write registers", exception(client.write_registers(0, [1, 2], **house)), 2)
expect("mask write", exception(client.mask_write_register(0, 1, 2, **house)), 2)
expect("read and write", exception(client.readwrite_registers(
    read_address=0, read_count=1, write_address=0, write_registers=[1], **house)), 2)
expect("beyond the end", exception(client.read_holding_registers(65535, 2, **house)), 2)
expect("no such unit", exception(client.read_holding_registers(0, 1, slave=99)), 0x0A)
expect("a silent pack's data", exception(client.read_holding_registers(16, 1, slave=2)), 0x0B)
expect("a silent pack's state", client.read_holding_registers(1, 1, slave=2).registers, [0])
expect("the gateway", client.read_holding_registers(0, 1, slave=255).isError(), False)


def execute(request, unit=1):
    request.unit_id = unit
    return client.execute(request)


def number(reply):
    message = getattr(reply, "message", None)
    return message[0] if isinstance(message, (list, tuple)) else message


expect("exception status", execute(ReadExceptionStatusRequest()).status, 0)
expect("exception status of old data", execute(ReadExceptionStatusRequest(), 2).status, 1)
expect("echo", number(execute(diag.ReturnQueryDataRequest(0xA537))), 0xA537)
expect("bus messages", number(execute(diag.ReturnBusMessageCountRequest())) > 15, True)
expect("exceptions", number(execute(diag.ReturnBusExceptionErrorCountRequest())), 9)
expect("clear", execute(diag.ClearCountersRequest()).isError(), False)
expect("exceptions then", number(execute(diag.ReturnBusExceptionErrorCountRequest())), 0)
expect("restart", exception(execute(diag.RestartCommunicationsOptionRequest(False))), 1)
server_id = execute(ReportSlaveIdRequest()).identifier
expect("server id", b"packbridge" in server_id and server_id.endswith(b"house"), True)
for code, objects in ((1, [0, 1, 2]), (2, [0, 1, 2, 4, 5, 6]), (3, [0, 1, 2, 4, 5, 6, 0x80])):
    reply = execute(ReadDeviceInformationRequest(code, 0))
    expect(f"identification {code}", sorted(reply.information), objects)
    expect("vendor", reply.information[0], b"packbridge")
expect("one object", execute(ReadDeviceInformationRequest(4, 6)).information, {6: b"house"})
expect("no such object", exception(execute(ReadDeviceInformationRequest(4, 9))), 2)
client.close()
sys.exit(failed != 0)
