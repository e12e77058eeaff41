/**
 * What each method failed by in its time happens to it here too and names itself, and without that
 * the same method succeeds on the same machine. On the machine that comes with tsdump and on
 * others: another kernel, other RAM, other disks. Where another machine cannot show something, the
 * reason stands here, and the machine must say so itself.
 */

import { beforeAll, describe, expect, test } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import type { Dump } from '../../src/dump/types.ts';
import { hardwareProfile } from '../../src/machine/hardware.ts';
import type { CaptureReport } from '../../src/trial/report.ts';
import type { VerdictClass } from '../../src/trial/verdict-classes.ts';
import { ended } from '../capture/runs.ts';
import { dumpPath, openFile } from '../support/fixture.ts';
import { findImage } from '../support/images.ts';
import { Bench, openPanic, strictest } from '../support/machines.ts';

interface Event {
  readonly what: string;
  readonly method: string;
  /** The first one is the failure that is meant; with the others alone the method succeeds. */
  readonly faults: readonly string[];
  readonly hardware?: string;
  readonly verdict: VerdictClass;
  /** Where it ended, or what it remarked on its way. */
  readonly says: RegExp;
}

const deaf = ['cpu-deaf', 'watchdog:seconds=600'];
const wildDma = 'memory:by=dma,region=segments,writes=4,bytes=64';
const wildCpu = 'memory:by=cpu,region=segments,writes=4,bytes=64';

const history: readonly Event[] = [
  {
    what: 'a queue that is not empty defeats LKCD 2003',
    method: 'lkcd-disk:2003',
    faults: ['queue-stuck'],
    verdict: 'none',
    says: /^dump device: .*EBUSY/,
  },
  {
    what: 'LKCD 2004 only warns of it, and finds no free tag',
    method: 'lkcd-disk:2004',
    faults: ['queue-stuck'],
    verdict: 'none',
    says: /blk_mq_hw_ctx\.tags: no tag is free[\s\S]*warning: its queue is not empty/,
  },
  {
    what: 'a held queue lock defeats LKCD 2004',
    method: 'lkcd-disk:2004',
    faults: ['lock-held:name=queue'],
    verdict: 'none',
    says: /^dump device: request_queue\.queue_lock: EBUSY/,
  },
  {
    what: 'the held lock of a hardware queue defeats LKCD 2005',
    method: 'lkcd-disk',
    faults: ['lock-held:name=hctx'],
    verdict: 'none',
    says: /^dump device: blk_mq_hw_ctx\.lock: EBUSY/,
  },
  {
    what: 'LKCD 2004 waits for an interrupt that is lost',
    method: 'lkcd-disk:2004',
    faults: ['interrupt-lost:line=disk'],
    verdict: 'unreadable',
    says: /interrupt: the disk's interrupt does not arrive: the dump waits for it for ever/,
  },
  {
    what: 'LKCD 2004 waits for an interrupt that is in progress elsewhere',
    method: 'lkcd-disk:2004',
    faults: ['interrupt-stuck:how=in-progress'],
    verdict: 'unreadable',
    says: /irq_desc of interrupt/,
  },
  {
    what: 'a CPU that ignores the NMI hangs LKCD until the watchdog',
    method: 'lkcd-disk',
    faults: deaf,
    verdict: 'none',
    says: /^other CPUs: CPU \d: .* without a limit; the hardware watchdog reset the machine/,
  },
  {
    what: 'and LKCD over the network just so',
    method: 'lkcd-net',
    faults: deaf,
    verdict: 'none',
    says: /CPU \d: .* without a limit; the hardware watchdog reset the machine/,
  },
  {
    what: 'a disk that hangs until its adapter is reset defeats LKCD',
    method: 'lkcd-disk',
    faults: ['disk-hung'],
    verdict: 'none',
    says: /disk|sda/,
  },
  {
    what: 'a real reset clears what LKCD keeps in memory',
    method: 'lkcd-mem',
    faults: ['firmware-clears-memory', 'watchdog:seconds=4'],
    verdict: 'none',
    says: /^reservation: saved pages: invalid dump magic/,
  },
  {
    what: 'a wrong hardware address loses LKCD net',
    method: 'lkcd-net:fixed-mac',
    faults: ['server-wrong-mac'],
    verdict: 'none',
    says: /^handshake: server: no server answers in 300 tries/,
  },
  {
    what: 'another segment loses an LKCD net that calls for any server',
    method: 'lkcd-net',
    faults: ['server-other-segment'],
    verdict: 'none',
    says: /^handshake: server: no server answers in 300 tries/,
  },
  {
    what: 'LKCD net spins on a transmit lock',
    method: 'lkcd-net',
    faults: ['lock-held:name=nic-transmit'],
    verdict: 'none',
    says: /the transmit lock of eth0 is held/,
  },
  {
    what: 'netdump says without end that it is there',
    method: 'netdump',
    faults: ['server-down', 'watchdog:seconds=600'],
    verdict: 'none',
    says: /^handshake: server: .* until the hardware watchdog resets the machine/,
  },
  {
    what: 'a held host lock defeats diskdump: it goes to the next partition',
    method: 'diskdump',
    faults: ['lock-held:name=host'],
    hardware: 'two-disks',
    verdict: 'complete',
    says: /sda1: host_lock is held\nadapter reset: ok[\s\S]*netdump: ok\nnot needed/,
  },
  {
    what: 'and where there is none, to netdump',
    method: 'diskdump',
    faults: ['lock-held:name=host'],
    verdict: 'complete',
    says: /sda1: host_lock is held; netdump is what is left/,
  },
  {
    what: 'and where no server is either, it is lost',
    method: 'diskdump',
    faults: ['lock-held:name=host', 'server-down', 'watchdog:seconds=600'],
    verdict: 'none',
    says: /^netdump: server: no server answers[\s\S]*sda1: host_lock is held/,
  },
  {
    what: 'diskdump is not registered for a driver without dump hooks',
    method: 'diskdump',
    faults: ['driver-without-dump-hooks', 'server-down'],
    verdict: 'none',
    says: /hooks/,
  },
  {
    what: 'diskdump leaves a mistyped partition alone',
    method: 'diskdump',
    faults: ['partition-mistyped'],
    verdict: 'complete',
    says: /block 0 has no diskdump signature: it is left alone/,
  },
  {
    what: 'LKCD destroys a mistyped partition',
    method: 'lkcd-disk',
    faults: ['partition-mistyped'],
    verdict: 'destructive',
    says: /bytes outside of the dump area were overwritten/,
  },
  {
    what: 'a corrupted crash kernel stops kexec by its checksum',
    method: 'kexec',
    faults: [wildDma],
    verdict: 'none',
    says: /^purgatory: purgatory digest: .*does not match/,
  },
  {
    what: 'a kexec lock that is held: no dump',
    method: 'kexec',
    faults: ['lock-held:name=kexec'],
    verdict: 'none',
    says: /^kexec lock: (__kexec_lock|kexec_mutex)/,
  },
  {
    what: 'mkdump checks nothing and runs what is left of its mini kernel',
    method: 'mkdump',
    faults: [wildCpu],
    verdict: 'none',
    says: /^mini kernel: .*wild jump/,
  },
  {
    what: 'a later mkdump is protected from CPUs, not from devices',
    method: 'mkdump:later',
    faults: [wildDma],
    verdict: 'none',
    says: /^mini kernel: .*wild jump/,
  },
  {
    what: 'a full copy queue ends the live dump cleanly',
    method: 'live',
    faults: ['busy-writer:pages=8000,for=100'],
    verdict: 'none',
    says: /copy queue: the copy queue is full/,
  },
  {
    what: 'a CPU that does not come is waited for by the live dump',
    method: 'live',
    faults: ['cpu-deaf'],
    verdict: 'none',
    says: /^stop_machine: CPU \d: .*does not come/,
  },
];

/** What defeats another method, or an older release of the same one. */
const indifferent: readonly (readonly [method: string, fault: string])[] = [
  ['lkcd-disk', 'interrupt-lost:line=disk'],
  ['lkcd-mem', 'firmware-clears-memory'],
  ['lkcd-mem', 'watchdog:seconds=4'],
  ['lkcd-mem', 'lock-held:name=queue'],
  ['lkcd-net', 'server-wrong-mac'],
  ['lkcd-net:fixed-mac', 'server-other-segment'],
  ['diskdump', 'disk-hung'],
  ['diskdump', 'interrupt-lost:line=disk'],
  ['netdump', 'lock-held:name=nic-transmit'],
  ['kexec', wildCpu],
  ['kexec', 'disk-hung'],
  ['kexec', 'lock-held:name=queue'],
  ['mkdump', 'lock-held:name=kexec'],
  ['mkdump:later', wildCpu],
  ['hypervisor', 'cpu-deaf'],
  ['hypervisor', 'disk-hung:until=never'],
];

interface Subject {
  readonly name: string;
  readonly release: RegExp;
  readonly ramMegabytes: number;
  open(): Promise<Dump>;
  /** What the machine itself says where it cannot show something. */
  cannot(method: string, faults: readonly string[]): RegExp | undefined;
}

const subjects: Subject[] = [
  {
    name: 'the default machine',
    release: /^6\.1\.0/,
    ramMegabytes: 96,
    open: () => openPanic('null-process'),
    cannot: () => undefined,
  },
  {
    // Of its memory little more than what an analyzer asks for was kept.
    name: 'Linux 6.12',
    release: /^6\.12/,
    ramMegabytes: 384,
    open: () => openFile(dumpPath('linux-6.12.kdump')),
    cannot: (method, [fault = '']) =>
      /^(kexec|mkdump|hypervisor)/.test(method) && fault !== 'lock-held:name=queue'
        ? undefined
        : /left out by the filter/,
  },
];

const other = findImage('kdump-real.vmcore');
if (other !== undefined) {
  subjects.push({
    // Its disks are virtio_blk, which is no SCSI; its user and free pages were filtered out.
    name: 'kdump-real.vmcore',
    release: /^6\.1\.0/,
    ramMegabytes: 384,
    open: () => openFile(other),
    cannot: (_, faults) => {
      if (faults.includes('lock-held:name=host')) return /this kernel has no SCSI disk/;
      return faults.some((fault) => fault.startsWith('busy-writer')) ? /no such page/ : undefined;
    },
  });
}

/** Where it ended, why it was judged so, and all that its stages remarked. */
function account(report: CaptureReport): string {
  const stages = report.stages.map(({ name, result, remarks }) =>
    [`${name}: ${result}`, ...remarks].join('\n'),
  );
  const effects = report.faults.flatMap(({ remarks }) => remarks ?? []);
  return [ended(report), ...report.verdict.reasons, ...stages, ...effects].join('\n');
}

describe.each(subjects)('on $name', ({ open, cannot, release, ramMegabytes }) => {
  const benches = new Map<string | undefined, Bench>();
  let dump: Dump;
  beforeAll(async () => {
    dump = await open();
  });

  function run(
    method: string,
    faults: readonly string[],
    hardware?: string,
  ): Promise<CaptureReport> {
    const options = hardware === undefined ? {} : { hardware: hardwareProfile(hardware) };
    const bench = benches.get(hardware) ?? new Bench(dump, options);
    benches.set(hardware, bench);
    return bench.run({ method, level: strictest(method) }, faults, 1);
  }

  /** What the machine says instead of showing what it cannot. */
  async function excuse(method: string, faults: readonly string[]): Promise<string> {
    try {
      return account(await run(method, faults));
    } catch (error) {
      if (error instanceof DumpError) return error.message;
      throw error;
    }
  }

  test('its kernel and its RAM are those that it is here for', async () => {
    const { machine } = await run('hypervisor', []);
    expect(machine.release).toMatch(release);
    expect(Math.round(machine.ramBytes / 2 ** 20 / 16) * 16).toBe(ramMegabytes);
  });

  test.each(history)('$what', async ({ method, faults, hardware, verdict, says }) => {
    const reason = cannot(method, faults);
    if (reason !== undefined) {
      expect(await excuse(method, faults)).toMatch(reason);
      return;
    }
    const report = await run(method, faults, hardware);
    expect(account(report)).toMatch(says);
    expect(report.verdict.class).toBe(verdict);
    const without = await run(method, faults.slice(1), hardware);
    expect(without.verdict.class, account(without)).toBe('complete');
    expect(account(without)).not.toMatch(says);
  });

  test.each(indifferent)('%s does not mind %s', async (method, fault) => {
    const reason = cannot(method, [fault]);
    if (reason !== undefined) expect(await excuse(method, [fault])).toMatch(reason);
    else {
      const report = await run(method, [fault]);
      expect(report.verdict.class, account(report)).toBe('complete');
    }
  });
});
