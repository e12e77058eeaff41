/** Probed functions: the stack goes through code that the kernel made while it ran. */

import { describe, expect, test } from 'vitest';
import { backtrace } from '../../src/linux/backtrace.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { ftraceTrampolines } from '../../src/linux/trampolines.ts';
import { dumpLike, openFixture } from '../support/fixture.ts';
import { openPanic } from '../support/machines.ts';

describe.each([
  ['scsi-dispatch', 'virtscsi_queuecommand'],
  ['irq-entry', 'handle_irq_event'],
  ['reclaim', 'do_try_to_free_pages'],
])('%s', (image, caller) => {
  test('is unwound through the trampoline of its probe, without a guess', async () => {
    const kernel = openKernel(await openPanic(image));
    const [trampoline] = ftraceTrampolines(kernel);
    const { frames } = backtrace(kernel, { task: panicTask(kernel)!.task });
    const at = frames.findIndex(({ address }) => {
      return address >= trampoline!.start && address < trampoline!.end;
    });
    expect(frames[at - 1]?.symbol).toBe('kprobe_ftrace_handler');
    expect(frames.slice(at).map(({ symbol }) => symbol)).toContain(caller);
    expect(frames.filter(({ reliable }) => !reliable)).toEqual([]);
    expect(frames.at(-1)?.symbol).toMatch(/^entry_SYSCALL_64/);
  });
});

test('a kernel without probes lists none; an unreadable list is none', async () => {
  const dump = await openFixture();
  expect(ftraceTrampolines(openKernel(dump))).toEqual([]);
  const kernel = openKernel(await openPanic('scsi-dispatch'));
  const head = kernel.symbol('ftrace_ops_trampoline_list').address;
  const pfn = Number(kernel.memory.translate(head).physical >> 12n);
  const holed = dumpLike(kernel.dump, {
    readPage: (at) =>
      at === pfn ? { state: 'missing', bytes: undefined } : kernel.dump.readPage(at),
  });
  expect(ftraceTrampolines(openKernel(holed))).toEqual([]);
});
