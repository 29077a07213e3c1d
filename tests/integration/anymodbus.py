# SPDX-License-Identifier: MIT
"""pymodbus, whichever Debian has: 2 (unit=), 3.0 (slave=), 3.8 (keywords only, pymodbus.pdu), 3.10 (device_id=).

What differs is found by looking at the functions, not by version numbers, which pymodbus itself has wrong."""
import inspect

try:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient
except ImportError:  # 2
    from pymodbus.client.sync import ModbusSerialClient, ModbusTcpClient
try:
    from pymodbus.pdu import diag_message as diag, mei_message, other_message
except ImportError:  # before 3.8
    from pymodbus import diag_message as diag, mei_message, other_message

__all__ = ["Client", "ModbusSerialClient", "ModbusTcpClient", "ReadDeviceInformationRequest",
           "ReadExceptionStatusRequest", "ReportServerIdRequest", "diag", "exception"]
ReadDeviceInformationRequest = mei_message.ReadDeviceInformationRequest
ReadExceptionStatusRequest = other_message.ReadExceptionStatusRequest
ReportServerIdRequest = getattr(other_message, "ReportSlaveIdRequest", None) or other_message.ReportDeviceIdRequest


def exception(reply):
    return getattr(reply, "exception_code", None)


def accepted(function, *names):
    """The first of names that the function has an argument of; the last one if it tells none."""
    has = inspect.signature(function).parameters
    return next((n for n in names if n in has), names[-1])


class Client:
    """A connected client; each method takes the unit as its last argument."""

    def __init__(self, client):
        self.client = client
        assert client.connect()
        self.unit_word = accepted(client.read_holding_registers, "device_id", "slave", "unit")
        self.values_word = accepted(client.readwrite_registers, "values", "write_registers")
        self.execute_takes_more = "no_response_expected" in inspect.signature(client.execute).parameters
        self.close = client.close

    def _unit(self, unit):
        return {self.unit_word: unit}

    def read(self, kind, address, count, unit=1):
        """@kind: coils, discrete_inputs, holding_registers, input_registers"""
        return getattr(self.client, f"read_{kind}")(address, count=count, **self._unit(unit))

    def write(self, kind, address, value, unit=1):
        """@kind: coil, coils, register, registers"""
        return getattr(self.client, f"write_{kind}")(address, value, **self._unit(unit))

    def mask_write(self, address, and_mask, or_mask, unit=1):
        return self.client.mask_write_register(address=address, and_mask=and_mask, or_mask=or_mask, **self._unit(unit))

    def read_and_write(self, read_address, count, write_address, values, unit=1):
        return self.client.readwrite_registers(
            read_address=read_address, read_count=count, write_address=write_address,
            **{self.values_word: values}, **self._unit(unit))

    def execute(self, request, unit=1):
        request.unit_id = request.slave_id = request.dev_id = unit
        return self.client.execute(False, request) if self.execute_takes_more else self.client.execute(request)
