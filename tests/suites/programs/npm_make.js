'use strict';
// Writes forty packages (a tree of dependencies) to argv[2], an application that needs them, and the program that makes its lock file.
const fs = require('fs'), path = require('path'), at = process.argv[2], N = 40;
const put = (name, text) => {
    fs.mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
    fs.writeFileSync(path.join(at, name), text);
};
const needs = (i) => [2 * i + 1, 2 * i + 2].filter((k) => k < N);
const deps = (list) => Object.fromEntries(list.map((k) => [`p${k}`, '1.0.0']));
for (let i = 0; i < N; i++) {
    put(`p${i}/package.json`, JSON.stringify({ name: `p${i}`, version: '1.0.0', dependencies: deps(needs(i)), bin: i ? undefined : { greet: 'greet.js' } }));
    put(`p${i}/index.js`, `exports.sum = (x) => ${needs(i).map((k) => `require('p${k}').sum(x)`).concat(`x * ${i}`).join(' + ')};\n`);
    put(`p${i}/data.txt`, Array.from({ length: 400 }, (_, k) => `${k * i * 2654435761 % 1000003}`).join('\n'));
}
put('p0/greet.js', '#!/usr/bin/env node\nconsole.log("hello from", require("./package.json").name);\n');
put('app/package.json', JSON.stringify({ name: 'app', version: '1.0.0', dependencies: deps([0]), scripts: { greet: 'greet', postinstall: 'node -e "console.log(6 * 7)"' } }));
put('app/main.js', 'console.log(require("p0").sum(3));\n');
put('lock.js', `'use strict';
const fs = require('fs'), crypto = require('crypto');
const packages = { '': JSON.parse(fs.readFileSync('app/package.json')) };
for (let i = 0; i < ${N}; i++) {
    const p = JSON.parse(fs.readFileSync('p' + i + '/package.json'));
    const hash = crypto.createHash('sha512').update(fs.readFileSync('p' + i + '-1.0.0.tgz')).digest('base64');
    packages['node_modules/p' + i] = { version: '1.0.0', resolved: 'https://registry.npmjs.org/p' + i + '/-/p' + i + '-1.0.0.tgz',
        integrity: 'sha512-' + hash, dependencies: p.dependencies, bin: p.bin };
}
fs.writeFileSync('app/package-lock.json', JSON.stringify({ name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true, packages }));
`);
