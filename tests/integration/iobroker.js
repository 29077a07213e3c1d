// SPDX-License-Identifier: MIT
// Runs ioBroker's Modbus engine (npm: @iobroker/modbus) with exported settings, its controller replaced by one
// that keeps states, until a pack has been read, and again until it is lost. What stands there then must have a
// bad quality beside it. Usage: node iobroker.js SETTINGS LOST_PACK GOOD_PACK
const fs = require('fs');
const Module = require('module');
const settings = JSON.parse(fs.readFileSync(process.argv[2]));
const [lost, good] = process.argv.slice(3);
const states = {};
const nothing = async () => ({});

class Adapter {
    constructor(options) {
        Object.assign(this, {config: settings, namespace: 'modbus.0', name: 'modbus', instance: 0, common: {}});
        this.log = {info() {}, debug() {}, silly() {}, warn() {}, error: message => console.error(message)};
        setImmediate(() => options.ready());
    }
    async setState(id, value) { states[id] = value; }
    async setStateAsync(id, value) { states[id] = value; }
    setTimeout(...a) { return setTimeout(...a); }
    clearTimeout(timer) { clearTimeout(timer); }
    setInterval(...a) { return setInterval(...a); }
    clearInterval(timer) { clearInterval(timer); }
    on() {}
    subscribeStates() {}
}
for (const name of ['getStatesAsync', 'getForeignStatesAsync', 'getForeignObjects', 'getEnumAsync', 'extendObjectAsync',
    'setObjectAsync', 'setObjectNotExistsAsync', 'setForeignObjectAsync', 'delObjectAsync', 'subscribeStatesAsync'])
    Adapter.prototype[name] = nothing;
for (const name of ['getObjectAsync', 'getForeignObjectAsync', 'getState', 'getStateAsync'])
    Adapter.prototype[name] = async () => null;
const load = Module._load;
Module._load = function (name, ...rest) {
    return name === '@iobroker/adapter-core' ? {Adapter} : load.call(this, name, ...rest);
};
const engine = require('@iobroker/modbus');

const state = name => {
    const id = Object.keys(states).find(key => key.endsWith(`_${name}`));
    return id === undefined ? undefined : states[id];
};
const until = async (what, condition) => {
    for (let i = 0; i < 600; i++) {
        if (condition())
            return;
        await new Promise(resolve => setTimeout(resolve, 100));
    }
    throw new Error(`not in 60 s: ${what}; ${JSON.stringify(states)}`);
};
const check = (what, good) => {
    if (!good)
        throw new Error(`${what}; ${JSON.stringify(states)}`);
};
const numbers = () => Object.values(states).filter(value => [65535, 4294967295, 6553.5, -3276.8].includes(value));

(async () => {
    settings.params.poll = 300;
    new (engine.default || engine)('modbus', {}, {});
    for (const pack of [lost, good])
        await until(`${pack} is read`, () => state(`${pack}_quality`) === 1 && state(`${pack}_voltage`) > 10);
    check('numbers that mean "not available"', numbers().length === 0);
    const count = Object.keys(states).length;
    fs.writeFileSync(1, 'read\n');
    await until(`${lost} is lost`, () => state(`${lost}_quality`) > 1 && state(`${lost}_good`) === false);
    check('the other pack is good', state(`${good}_quality`) === 1);
    check('the connection is', states['info.connection'] === true);
    console.log(`${count} states; the lost pack's voltage ${state(`${lost}_voltage`)} has quality ` +
        `${state(`${lost}_quality`)} and age ${state(`${lost}_age`)} s beside it`);
    process.exit(0);
})().catch(error => {
    console.error(error.message);
    process.exit(1);
});
