/**
 * `complete` is no word that the judge gives away: the dump of every method says of the panic what
 * the memory said at the instant, and a few bytes that are planted in it and change one of these
 * answers take the word away, and the judge says which answer it was.
 */

import { describe, expect, test } from 'vitest';
import { methodWords } from '../../src/capture/catalogue.ts';
import { backtrace } from '../../src/linux/backtrace.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { lastLogRecord } from '../../src/linux/log.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { blueprintOf } from '../../src/machine/blueprint.ts';
import { type Question, Questioner } from '../../src/trial/answers.ts';
import { judgeDump } from '../../src/trial/judge.ts';
import { PreparedCapture } from '../../src/trial/prepared.ts';
import { finish, openBytes, u32, world } from '../machine/support.ts';
import { openPanic, strictest } from '../support/machines.ts';
import { PatchedDump } from '../support/patched.ts';

const blueprint = blueprintOf(await openPanic('null-process'), world);
const questioner = new Questioner();

/** Where a few bytes change one answer. */
const plants: Readonly<Record<Question, (kernel: Kernel, dump: PatchedDump) => void>> = {
  'panic task': (kernel, dump) => {
    const { cpu } = panicTask(kernel)!;
    dump.write(kernel.symbol('panic_cpu').address, u32(1 - cpu!));
  },
  backtrace: (kernel, dump) => {
    const { frames } = backtrace(kernel, { task: panicTask(kernel)!.task });
    const { stackPointer, address } = frames.find(({ kind }) => kind === 'call')!;
    dump.writeU64(stackPointer, address + 1n);
  },
  'last log line': (kernel, dump) => {
    const { bytes } = lastLogRecord(kernel)!;
    const start = kernel.symbol('__log_buf').address;
    const text = Buffer.from(kernel.memory.read(start, 1 << 17)).lastIndexOf(bytes);
    expect(text).toBeGreaterThan(0);
    dump.write(start + BigInt(text), Buffer.from('?'));
  },
  tasks: (kernel, dump) => {
    const offset = kernel.types.offsetOf('struct task_struct', 'comm');
    const init = kernel.symbol('init_task').address;
    dump.write(init + BigInt(offset), Buffer.from('?'));
  },
};

/** Not the one that tears by design; older generations are written by the same code. */
const tried = methodWords.filter((word) => word !== 'live-naive' && !word.includes(':'));

describe.each(tried)('%s', (method) => {
  test('answers as the memory did, and each planted change is found by name', async () => {
    const prepared = new PreparedCapture(blueprint, { method, level: strictest(method) });
    const { run, report, bytes } = await finish(prepared.begin());
    expect(report.verdict).toMatchObject({
      class: 'complete',
      answers: Object.fromEntries(Object.keys(plants).map((question) => [question, 'equal'])),
    });
    const truth = run.groundTruth();
    const dump = await openBytes(bytes);
    const kernel = openKernel(truth.dump);
    expect(judgeDump(dump, truth, questioner).class).toBe('complete');
    for (const [question, plant] of Object.entries(plants)) {
      const planted = new PatchedDump(dump);
      plant(kernel, planted);
      const verdict = judgeDump(planted.dump, truth, questioner);
      expect(verdict, question).toMatchObject({ class: 'inaccurate', pages: { different: 1 } });
      expect(verdict.reasons).toContain(`the dump gives another answer: ${question}`);
    }
  });
});
