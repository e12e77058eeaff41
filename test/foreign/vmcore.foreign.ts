/**
 * crash opens the default machine's memory as ELF in both styles, split and flattened, and says the
 * same of all of them as of the KDUMP file that makedumpfile wrote. A minute; skipped loudly where
 * crash or Debian's debug symbols are missing.
 */

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, findSymbols } from '../../bench/peers.mjs';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { DumpContent } from '../../src/dump/content.ts';
import { writeElf } from '../../src/dump/elf/write.ts';
import { flattened } from '../../src/dump/flattened/write.ts';
import { writeKdump } from '../../src/dump/kdump/write.ts';
import { writeParts } from '../../src/dump/writers.ts';
import { fileSink } from '../../src/host/file-sink.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { addressOf } from '../../src/linux/objects.ts';
import { panicTask } from '../../src/linux/panic.ts';
import { dumpPath, openFixture } from '../support/fixture.ts';
import { askCrash, save } from '../support/foreign.ts';

const crash = findProgram('crash');
const symbols = findSymbols('6.1.0-56-cloud-amd64');
const isComparable = crash !== undefined && symbols !== undefined;
if (!isComparable) console.warn('skipped: no crash with debug symbols here to read what we write');

const folder = mkdtempSync(join(tmpdir(), 'tsdump-vmcore-'));
afterAll(() => rmSync(folder, { recursive: true }));

const questions = ['sys', 'bt', 'log', 'rd linux_banner 8'];
/** Netdump had no VMCOREINFO, and crash looks for none there. */
let located: string[];
let expected: string;

/** What crash says, but for the names of files. */
async function ask(words: readonly string[], files: readonly string[]): Promise<string> {
  const commandFile = join(folder, 'commands');
  const all = [...words, symbols!, ...files];
  const said = await askCrash({ crash: crash!, words: all, questions, commandFile });
  const lines = said.join('\n').split('\n');
  return lines.filter((line) => !/DUMPFILE|^ {14}\//.test(line)).join('\n');
}

describe.skipIf(!isComparable)('crash', () => {
  const codecs = createCodecs(nodeZlib);
  const options = { compression: 'zlib', level: 23, codecs } as const;
  let content: DumpContent;
  let places: Pick<DumpContent, 'directMap' | 'kernel'>;

  beforeAll(async () => {
    const dump = await openFixture();
    const kernel = openKernel(dump);
    const task = panicTask(kernel)!.task;
    const base = kernel.vmcoreinfo.number('phys_base')!;
    located = [
      `--kaslr=0x${kernel.vmcoreinfo.text('KERNELOFFSET')}`,
      ...['-m', `phys_base=${base}`],
    ];
    const virtual = kernel.symbol('_text').address;
    places = {
      directMap: kernel.toVirtual(0n),
      kernel: {
        virtual,
        physical: Number(kernel.memory.translate(virtual).physical),
        size: Number(kernel.symbol('_end').address - virtual),
      },
    };
    content = {
      image: dump,
      uts: dump.uts!,
      time: dump.time ?? 0,
      notes: dump.notes,
      vmcoreinfo: dump.vmcoreinfo,
      physBase: BigInt(base),
      cpus: [],
      panic: { message: '', task: addressOf(task), cpu: 0 },
    };
    expected = await ask([], [dumpPath('sysrq.kdump')]);
    expect(expected).toContain('sysrq triggered crash');
    expect(expected.match(/^ #\d+ /gm)?.length).toBeGreaterThan(7);
  });

  test('opens our ELF, kdump style', async () => {
    const file = save(join(folder, 'k'), (sink) =>
      writeElf(sink, { ...content, ...places }, { style: 'kdump', codecs }),
    );
    expect(await ask([], [file])).toBe(expected);
  });

  test('opens our ELF, netdump style, when told where the kernel is', async () => {
    const file = save(join(folder, 'n'), (sink) =>
      writeElf(sink, { ...content, ...places }, { style: 'netdump', codecs }),
    );
    expect(await ask(located, [file])).toBe(expected);
  });

  test('opens our split KDUMP', async () => {
    const files = ['part1', 'part2', 'part3'].map((name) => join(folder, name));
    const sinks = files.map((file) => fileSink(file, { overwrite: false }));
    await writeParts(sinks, content, options);
    for (const sink of sinks) sink.finish();
    expect(await ask([], files)).toBe(expected);
  });

  test('opens our flattened KDUMP', async () => {
    const file = join(folder, 'flat');
    const fd = openSync(file, 'wx');
    const sink = flattened({
      name: file,
      append: (bytes) => {
        writeSync(fd, bytes);
      },
      finish: () => closeSync(fd),
      abort: () => closeSync(fd),
    });
    writeKdump(sink, content, options);
    sink.finish();
    expect(await ask([], [file])).toBe(expected);
  });
});
