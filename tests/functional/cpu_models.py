#!/usr/bin/env python3
"""cpu_models.py EMULATOR x86|arm|riscv: CPU models as management asks for them, and that -cpu takes what it is told."""
import struct
import sys
import tempfile
import time
from emulator import Emulator, check, check_equal, finish, run

FAMILY = sys.argv[2]


def expand(q, name, kind='full', **props):
    answer = q.ok('query-cpu-model-expansion', type=kind, model={'name': name, 'props': {k.replace('_', '-'): v for k, v in props.items()}})
    return answer['model']


def refused(q, text, name, kind='full', props=None):
    q.error('query-cpu-model-expansion', text, type=kind, model={'name': name, 'props': props or {}})


def test_definitions(q):
    models = {}
    for m in q.ok('query-cpu-definitions'):
        check(m['name'] not in models, f'{m["name"]} is there once')
        check(m['typename'].startswith(m['name'] + '-') and m['typename'].endswith('-cpu'), f'type {m["typename"]}')
        models[m['name']] = m
    for m in models.values():
        check(m.get('alias-of', m['name']) in models, f'{m["name"]}: the model it is another name of')
    return models


def test_x86(q):
    models = test_definitions(q)
    check_equal(models['qemu64']['alias-of'], 'qemu64-v1', 'alias')
    check('avx512f' in models['Skylake-Server']['unavailable-features'], 'what Skylake-Server lacks')
    check_equal(models['Nehalem']['unavailable-features'], [], 'what Nehalem lacks')
    check(models['base']['static'] and not models['max']['migration-safe'], 'base is static, max does not migrate')
    haswell = expand(q, 'Haswell', 'static', avx2=False, family=7, model_id='A B')
    check_equal(haswell['name'], 'base', 'a static model stands on base')
    props = haswell['props']
    check(props['fma'] and not props['avx2'] and not props['rtm'], 'features: of the model, switched off, not there')
    check_equal((props['family'], props['model-id'], props['vendor']), (7, 'A B', 'GenuineIntel'), 'numbers and names')
    check(expand(q, 'max')['props']['sse4_2'], 'second names')
    refused(q, "CPU model 'nosuch' not found", 'nosuch')
    refused(q, "Property 'max-x86_64-cpu.bogus' not found", 'max', props={'bogus': True})
    refused(q, "Invalid parameter type for 'model.props.vendor'", 'max', props={'vendor': 'a,b=c'})
    # What is told makes the same model again.
    told = {k: v for k, v in expand(q, 'EPYC', 'static')['props'].items() if k not in ('hypervisor', 'model-id')}
    again = expand(q, 'base', 'static', **told)['props']
    check_equal({k: again[k] for k in told}, told, 'EPYC, spelt out and taken again')


def test_arm(q):
    models = test_definitions(q)
    check('cortex-a57' in models and models['cortex-a57']['typename'] == 'cortex-a57-arm-cpu', 'cortex-a57')
    props = expand(q, 'cortex-a57')['props']
    check_equal(props, {'aarch64': True, 'pmu': True}, 'cortex-a57')
    check_equal(expand(q, 'cortex-a57', pmu=False)['props']['pmu'], False, 'pmu=off')
    props = expand(q, 'max', pauth_qarma3=True)['props']
    check(props['pauth'] and props['pauth-qarma3'] and not props['pauth-impdef'] and not props['sve'], 'max')
    check_equal(expand(q, 'cortex-a15')['props'], {'pmu': True}, 'a core of 32 bits')
    refused(q, "The CPU type 'nosuch' is not a recognized ARM CPU type", 'nosuch')
    refused(q, 'The requested expansion type is not supported', 'max', 'static')
    check_equal({g['version'] for g in q.ok('query-gic-capabilities')}, {2, 3}, 'interrupt controllers')
    for model, text in (('cortex-a57,vfp=off', 'AArch64 CPUs must have both VFP and Neon or neither'),
                        ('cortex-a15,neon=off', 'ARM CPUs must have both VFP-D32 and Neon or neither'),
                        ('max,sve=on', "'sve' is not supported"), ('cortex-a57,sve=off', "Property 'cortex-a57-arm-cpu.sve' not found"),
                        ('cortex-a57,lpa2=off', "Property 'cortex-a57-arm-cpu.lpa2' not found")):
        status, _, err = run('-M', 'virt', '-cpu', model, '-display', 'none')
        check(status == 1 and text in err, f'{model}: {status}, {err}')
    # Fields of the identification registers, read by a guest: PMUVer, FP, TGRAN4.
    with tempfile.NamedTemporaryFile() as code:
        code.write(struct.pack('<4I', 0xd5380501, 0xd5380402, 0xd5380703, 0x14000000)) # MRS to x1, x2, x3; B .
        code.flush()
        with Emulator('-cpu', 'max,pmu=off,vfp=off,neon=off,lpa2=off', '-bios', code.name, machine='virt') as vm:
            vm.qmp.ok('cont')
            end = time.time() + 20
            while time.time() < end and vm.qmp.ok('human-monitor-command', command_line='print /x $x3').strip() in ('0', '0x0'):
                time.sleep(0.01)
            for number, shift, value in ((1, 8, 0), (2, 16, 15), (3, 28, 0)):
                text = vm.qmp.ok('human-monitor-command', command_line=f'print /x $x{number}')
                check_equal(int(text, 16) >> shift & 15, value, f'x{number}, bit {shift}: the feature is off')


def test_riscv(q):
    test_definitions(q)
    props = expand(q, 'rv64', zbb=False, vlen=256, v=True)['props']
    check_equal((props['zbb'], props['v'], props['vlen'], props['zba']), (False, True, 256, True), 'rv64')
    refused(q, "The CPU type 'nosuch' is not a recognized RISC-V CPU type", 'nosuch')
    refused(q, "Property 'rv64-riscv-cpu.bogus' not found", 'rv64', props={'bogus': True})


with Emulator(machine='none') as machine:
    {'x86': test_x86, 'arm': test_arm, 'riscv': test_riscv}[FAMILY](machine.qmp)
finish()
