// SPDX-License-Identifier: MIT
// What modbus-serial (npm) reads from packbridge. Usage: node node_client.js PORT [rtu-over-tcp PORT]
"use strict";
const assert = require("assert");
const ModbusRTU = require("modbus-serial");

async function refused(promise, code, what) {
	try {
		await promise;
	} catch (error) {
		assert.strictEqual(error.modbusCode, code, `${what}: ${error.message}`);
		return;
	}
	assert.fail(`${what}: no exception, expected ${code}`);
}

async function tcp(port) {
	const client = new ModbusRTU();

	await client.connectTCP("127.0.0.1", { port });
	client.setTimeout(2000);
	client.setID(1);
	assert.strictEqual((await client.readHoldingRegisters(1, 1)).data[0], 1);
	assert.deepStrictEqual((await client.readInputRegisters(17, 1)).data, [640]);
	assert.strictEqual((await client.readHoldingRegisters(0, 125)).data.length, 125);
	assert.strictEqual((await client.readDiscreteInputs(0, 2)).data[0], true);
	assert.strictEqual((await client.readCoils(1, 1)).data[0], true);
	await refused(client.writeCoil(0, true), 2, "write coil");
	await refused(client.writeCoils(0, [true, false]), 2, "write coils");
	await refused(client.writeRegister(0, 1), 2, "write register");
	await refused(client.writeRegisters(0, [1, 2]), 2, "write registers");
	await refused(client.maskWriteRegister(0, 1, 2), 2, "mask write");
	await refused(client.readHoldingRegisters(65535, 2), 2, "beyond the end");
	const id = await client.reportServerID(0, 0);
	assert.strictEqual(id.running, true);
	assert.match(id.additionalData.toString(), /packbridge .* house/);
	for (const [code, objects] of [[1, 3], [2, 6], [3, 7]]) {
		const found = await client.readDeviceIdentification(code, 0);
		assert.strictEqual(Object.keys(found.data).length, objects, `identification ${code}`);
		assert.strictEqual(found.data[0], "packbridge");
	}
	client.setID(2);
	assert.strictEqual((await client.readHoldingRegisters(1, 1)).data[0], 0);
	await refused(client.readHoldingRegisters(16, 1), 0x0b, "a silent pack's data");
	client.setID(99);
	await refused(client.readHoldingRegisters(0, 1), 0x0a, "no such unit");
	client.setID(1);
	// many under way at once
	const many = await Promise.all(Array.from({ length: 200 },
		(_, i) => client.readHoldingRegisters(i % 100, 1 + i % 25)));
	many.forEach((reply, i) => assert.strictEqual(reply.data.length, 1 + i % 25));
	client.close(() => {});
}

async function rtuOverTcp(port) {
	const client = new ModbusRTU();

	await client.connectTelnet("127.0.0.2", { port });
	client.setTimeout(2000);
	client.setID(1);
	for (let i = 0; i < 20; i++)
		assert.deepStrictEqual((await client.readHoldingRegisters(17, 1)).data, [640]);
	await refused(client.writeRegister(0, 1), 2, "write register");
	client.close(() => {});
}

tcp(Number(process.argv[2]))
	.then(() => rtuOverTcp(Number(process.argv[3])))
	.then(() => process.exit(0), (error) => {
		console.error(error);
		process.exit(1);
	});
