#!/usr/bin/env python3
"""The QMP protocol, and every answer against the schema the program gives of itself."""
import os
import tempfile
import time
from emulator import Emulator, check, check_equal, finish


def raw(qmp, text):
    qmp.send(text)
    return qmp.answer()


def test_protocol(vm):
    q = vm.qmp
    check(q.greeting['QMP']['version']['qemu']['major'] >= 7, 'greeting has a version')
    check(isinstance(q.greeting['QMP']['capabilities'], list), 'greeting has capabilities')
    check_equal(raw(q, '{"execute": "query-status", "id": {"a": [1, null]}}'),
                {'return': {'status': 'prelaunch', 'running': False}, 'id': {'a': [1, None]}}, 'id is echoed')
    check_equal(raw(q, '{"execute": "nope", "id": 7}'),
                {'error': {'class': 'CommandNotFound', 'desc': 'The command nope has not been found'}, 'id': 7},
                'unknown command')
    for text, desc in [
        ('{"x": 1}', "QMP input member 'x' is unexpected"),
        ('[1]', 'QMP input must be a JSON object'),
        ('{"arguments": {}}', "QMP input lacks member 'execute'"),
        ('{"execute": 1}', "QMP input member 'execute' must be a string"),
        ('{"execute": "stop", "arguments": []}', "QMP input member 'arguments' must be an object"),
        ('{"execute": "query-status", "arguments": {"x": 1}}', "Parameter 'x' is unexpected"),
        ('{"execute": "qom-get", "arguments": {"path": "/"}}', "Parameter 'property' is missing"),
        ('{"execute": "qom-list", "arguments": {"path": 5}}',
         "Invalid parameter type for 'path', expected: string"),
    ]:
        check_equal(raw(q, text)['error'], {'class': 'GenericError', 'desc': desc}, text)
    check_equal(raw(q, "{'execute': 'query-name'}"), {'return': {}}, 'single quotes')
    deep = '[' * 2000 + ']' * 2000
    for bad in ['{"execute": tru}', '{]', '{"a": "\x01"}', '"unterminated\n', '}', deep]:
        desc = raw(q, bad).get('error', {}).get('desc', '')
        check('JSON parse error' in desc, f'{bad[:20]!r} is a parse error: {desc}')
        # The rest of a bad piece may give more errors; then the next request is served.
        q.send('\n{"execute": "query-name", "id": "sync"}')
        replies = 0
        while q.answer().get('id') != 'sync':
            replies += 1
        check(replies < 10, f'{bad[:20]!r}: {replies} errors')
    # Two in one packet, one in two.
    q.send('{"execute": "query-name", "id": 1}{"execute": "query-name", "id": 2} {"exec')
    check_equal([q.answer()['id'], q.answer()['id']], [1, 2], 'two requests in one packet')
    check_equal(raw(q, 'ute": "query-name", "id": 3}')['id'], 3, 'a request in two packets')
    check_equal(raw(q, '{"execute": "qmp_capabilities"}')['error']['class'], 'CommandNotFound', 'second negotiation')


def test_several(vm):
    """More monitors on other chardevs; negotiation is each one's own; events go to all that have negotiated."""
    path = vm.path('second')
    vm.qmp.ok('chardev-add', id='c2', backend={'type': 'socket', 'data': {
        'addr': {'type': 'unix', 'data': {'path': path}}, 'server': True, 'wait': False}})
    check_equal([c['filename'] for c in vm.qmp.ok('query-chardev') if c['label'] == 'c2'],
                [f'disconnected:unix:{path},server=on'], 'file name of a listening socket')
    vm.qmp.ok('chardev-remove', id='c2')


def test_before_negotiation():
    with Emulator('-qmp', 'none') as vm:
        sock_vm = vm.qmp
        sock_vm.sock.close()
        late = vm.connect(negotiate=False)
        late.send('{"execute": "query-status"}')
        reply = late.answer()
        check_equal(reply['error']['class'], 'CommandNotFound', 'before negotiation')
        check('qmp_capabilities' in reply['error']['desc'], 'says how')
        late.send('{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}')
        check('error' in late.answer(), 'oob was not offered')
        late.ok('qmp_capabilities', enable=[])
        late.ok('query-status')
        vm.qmp = late


class Validator:
    """Checks values against query-qmp-schema."""

    def __init__(self, schema):
        self.entries = {e['name']: e for e in schema}
        check_equal(len(self.entries), len(schema), 'names in the schema are unique')

    def check(self, name, value, where):
        entry = self.entries.get(name)
        if not check_known(entry, name, where):
            return
        meta = entry['meta-type']
        if meta == 'builtin':
            kinds = {'string': str, 'int': int, 'number': (int, float), 'boolean': bool, 'null': type(None),
                     'value': object}
            kind = kinds[entry['json-type']]
            check(isinstance(value, kind) and (kind is not int or not isinstance(value, bool)),
                  f'{where}: {value!r} is no {name}')
        elif meta == 'enum':
            check(value in [m['name'] for m in entry['members']], f'{where}: {value!r} is not in {name}')
        elif meta == 'array':
            check(isinstance(value, list), f'{where}: no list')
            for i, item in enumerate(value):
                self.check(entry['element-type'], item, f'{where}[{i}]')
        elif meta == 'object':
            check(isinstance(value, dict), f'{where}: no object')
            members = {m['name']: m for m in entry['members']}
            for m in members.values():
                if m['name'] in value:
                    self.check(m['type'], value[m['name']], f'{where}.{m["name"]}')
                else:
                    check('default' in m, f'{where}: {m["name"]} is missing')

    def references(self):
        for e in self.entries.values():
            for m in e.get('members', []):
                if e['meta-type'] in ('object', 'alternate'):
                    check_known(self.entries.get(m['type']), m['type'], e['name'])
            for key in ('arg-type', 'ret-type', 'element-type'):
                if key in e:
                    check_known(self.entries.get(e[key]), e[key], e['name'])
            for v in e.get('variants', []):
                check_known(self.entries.get(v['type']), v['type'], e['name'])


def check_known(entry, name, where):
    check(entry is not None, f'{where}: type {name} is not in the schema')
    return entry is not None


def test_schema(vm):
    q = vm.qmp
    schema = Validator(q.ok('query-qmp-schema'))
    schema.references()
    commands = [c['name'] for c in q.ok('query-commands')]
    check_equal(sorted(commands), sorted(n for n, e in schema.entries.items() if e['meta-type'] == 'command'),
                'query-commands and the schema agree')
    answered = 0
    for name in sorted(commands):
        entry = schema.entries[name]
        arguments = schema.entries[entry['arg-type']]['members']
        if not name.startswith(('query-', 'x-query-')) or any('default' not in m for m in arguments):
            continue
        reply = q.call(name)
        if 'return' in reply:
            schema.check(entry['ret-type'], reply['return'], name)
            answered += 1
        else:
            check(reply['error']['desc'] and '\n' not in reply['error']['desc'], f'{name}: {reply}')
    check(answered > 25, f'only {answered} query commands answer')
    schema.check('[ObjectTypeInfo]', q.ok('qom-list-types'), 'qom-list-types')
    schema.check('[ObjectPropertyInfo]', q.ok('qom-list', path='/machine'), 'qom-list')


def test_qom(vm):
    q = vm.qmp
    check(any(p['name'] == 'type' for p in q.ok('qom-list', path='/machine')), 'qom-list has type')
    check_equal(q.ok('qom-get', path='/machine', property='type'), 'none-machine', 'type of the machine')
    q.error('qom-get', "not found", cls='DeviceNotFound', path='/nowhere', property='type')
    q.error('qom-get', "nothing", path='/machine', property='nothing')
    q.error('qom-list-properties', 'not found', cls='DeviceNotFound', typename='nonsense')
    q.error('device_add', "not a valid device model name", driver='nonsense')
    q.error('device_del', "not found", cls='DeviceNotFound', id='nonsense')
    q.error('object-add', 'nonsense', **{'=qom-type': 'nonsense', 'id': 'a'})
    types = [t['name'] for t in q.ok('qom-list-types', implements='device')]
    for name in types:
        q.ok('device-list-properties', typename=name)


def test_backpressure(vm):
    """A client that asks and does not read costs bounded memory and stops nobody."""
    slow = vm.connect_second()
    slow.sock.setblocking(False)
    request = b'{"execute": "query-qmp-schema"}' * 20
    sent = 0
    try:
        for _ in range(200):
            sent += slow.sock.send(request)
    except BlockingIOError:
        pass
    start = time.time()
    vm.qmp.ok('query-status')
    check(time.time() - start < 5, 'another monitor is served')
    with open(f'/proc/{vm.process.pid}/status') as f:
        rss_kib = int(next(line for line in f if line.startswith('VmRSS')).split()[1])
    check(rss_kib < 200 * 1024, f'{rss_kib} KiB in use')
    # The answers come once the client reads.
    slow.sock.setblocking(True)
    slow.sock.settimeout(10)
    for _ in range(20):
        reply = slow.receive()
        check('return' in reply, 'queued answers arrive')
    slow.sock.close()
    vm.qmp.ok('query-status')


def test_quit(vm):
    vm.qmp.ok('quit')
    event = vm.qmp.wait_event('SHUTDOWN')
    check_equal(event['data'], {'guest': False, 'reason': 'host-qmp-quit'}, 'SHUTDOWN data')
    check(set(event['timestamp']) == {'seconds', 'microseconds'}, 'timestamp')
    check_equal(vm.wait(), 0, 'exit status after quit')


def main():
    with Emulator() as vm:
        test_protocol(vm)
        test_several(vm)
        test_schema(vm)
        test_qom(vm)
        test_quit(vm)
    test_before_negotiation()
    # A second monitor from the command line.
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, 'slow')
        with Emulator('-chardev', f'socket,id=slow,path={path},server=on,wait=off', '-mon',
                      'chardev=slow,mode=control') as vm:
            vm.connect_second = lambda: vm.connect(path)
            other = vm.connect(path)
            vm.qmp.ok('cont')
            check(other.wait_event('RESUME') is not None, 'events go to every monitor')
            vm.qmp.ok('stop')
            other.wait_event('STOP')
            other.sock.close()
            test_backpressure(vm)
    finish()


main()
