/**
 * One stopped guest, dumped by QEMU in every way that it has: each file holds the same memory, and
 * in each the same kernel is found. Needs QEMU and a kernel to boot: TSDUMP_KERNEL, or the first
 * /boot/vmlinuz-*. Half a minute; skipped loudly without them.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pathOf } from '../../bench/peers.mjs';
import type { Dump } from '../../src/dump/types.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { panicMessage } from '../../src/linux/panic.ts';
import { openFile } from '../support/fixture.ts';
import { expectEqual } from '../support/pages.ts';

const qemu = pathOf('qemu-system-x86_64');
const inBoot = existsSync('/boot') ? readdirSync('/boot') : [];
const [found] = inBoot.filter((name) => name.startsWith('vmlinuz-'));
const vmlinuz =
  process.env['TSDUMP_KERNEL'] ?? (found === undefined ? undefined : `/boot/${found}`);
const isPossible = qemu !== undefined && vmlinuz !== undefined;
if (!isPossible) console.warn('skipped: no QEMU, or no kernel for it (TSDUMP_KERNEL=vmlinuz)');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-qemu-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const megabytes = 96;
const files = ['elf', 'elf-paging', 'kdump-zlib', 'guest.raw'] as const;

/** Boots a kernel without a root file system: it panics by itself. Then dumps, and ends. */
async function dumpGuest(): Promise<void> {
  const socket = join(folder, 'qmp');
  const words = [
    ...['-accel', 'tcg', '-m', `${megabytes}`, '-smp', '2', '-display', 'none', '-nodefaults'],
    ...['-kernel', vmlinuz!, '-append', 'console=ttyS0 panic=0', '-serial', 'stdio'],
    ...['-qmp', `unix:${socket},server,nowait`],
  ];
  const guest = spawn(qemu!, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(guest, 'exit');
  try {
    for await (const line of createInterface({ input: guest.stdout })) {
      if (line.includes('end Kernel panic')) break;
    }
    const monitor = createConnection(socket);
    const lines = createInterface({ input: monitor })[Symbol.asyncIterator]();
    await lines.next();
    const ask = async (execute: string, given: object = {}): Promise<void> => {
      monitor.write(`${JSON.stringify({ execute, arguments: given })}\n`);
      for (;;) {
        const { value } = await lines.next();
        const answer = JSON.parse(value) as { return?: unknown; error?: unknown };
        if (answer.error !== undefined) throw new Error(`${execute}: ${value}`);
        if (answer.return !== undefined) return;
      }
    };
    const at = (name: (typeof files)[number]) => ({ protocol: `file:${join(folder, name)}` });
    await ask('qmp_capabilities');
    await ask('stop');
    await ask('dump-guest-memory', { paging: false, ...at('elf') });
    await ask('dump-guest-memory', { paging: true, ...at('elf-paging') });
    await ask('dump-guest-memory', { paging: false, format: 'kdump-zlib', ...at('kdump-zlib') });
    const size = megabytes * 1024 * 1024;
    await ask('pmemsave', { val: 0, size, filename: join(folder, 'guest.raw') });
    await ask('quit');
    monitor.destroy();
  } finally {
    guest.kill('SIGKILL');
    await ended;
  }
}

describe.skipIf(!isPossible)('QEMU', () => {
  let whole: Dump;
  beforeAll(async () => {
    await dumpGuest();
    whole = await openFile(join(folder, 'elf'));
  });
  afterAll(() => whole.close());

  test.each(files)('%s: every page as in the others, and the kernel is found', async (name) => {
    const dump = await openFile(join(folder, name));
    expect(dump.incomplete).toBeUndefined();
    let same = 0;
    for (const { first, end, state } of dump.runs()) {
      for (let pfn = first; state === 'stored' && pfn < end; pfn++, same++) {
        expectEqual(dump.readPage(pfn).bytes, whole.readPage(pfn).bytes!);
      }
    }
    // What no page table maps is not in the dump with paging.
    expect(same).toBeGreaterThan(megabytes * 256 - 200);
    const kernel = openKernel(dump);
    expect(panicMessage(kernel)).toMatch(
      /^Kernel panic - not syncing: VFS: Unable to mount root fs/,
    );
    expect([...kernel.tasks()].length).toBeGreaterThan(20);
    dump.close();
  });
});
