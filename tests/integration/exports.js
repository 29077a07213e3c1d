// SPDX-License-Identifier: MIT
// Runs the function nodes of an exported flow over registers that a client read, and prints what they
// make of them. Usage: node exports.js FLOW < REGISTERS; REGISTERS: {"ADDRESS": [words of the block]}
const fs = require('fs');
const flow = JSON.parse(fs.readFileSync(process.argv[2]));
const blocks = JSON.parse(fs.readFileSync(0));
const values = {};
for (const read of flow.filter(n => n.type === 'modbus-read')) {
    const words = blocks[`${read.dataType} ${read.adr}`];
    if (!words)
        continue;
    const node = flow.find(n => n.id === read.wires[0][0]);
    Object.assign(values, new Function('msg', node.func)({topic: '', payload: words}).payload);
}
console.log(JSON.stringify(values));
