/**
 * lcrash's commands: JSON by its schema, and every fact in them held against the same fact from the
 * command of ours that knows it; lists and stacks that are damaged.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lcrashCommands } from '../../src/analyze/table-lcrash.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { answerEnvelope } from '../../src/render/envelope.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { openFixture, withPages } from '../support/fixture.ts';
import { schemaProblems } from '../support/schemas.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = openKernel(await openFixture());
});
afterAll(() => kernel.dump.close());

// biome-ignore lint/suspicious/noExplicitAny: what it is, its schema says.
async function dataOf(line: string, of = kernel): Promise<any> {
  return JSON.parse(JSON.stringify((await answerOf(of, line)).json()));
}

const examples = lcrashCommands.flatMap(({ examples, schema }) =>
  examples.map(([words]) => [words, schema] as const),
);
const more = [
  ['trace -a', 'bt/1'],
  ['walk module list modules -h n', 'walk/1'],
  ['walk 0xffff000000000000 8 16', 'walk/1'],
  ['walk list_head next modules', 'walk/1'],
  ['module -f virtio virtio_ring', 'module/1'],
  ['mmap -f -n', 'mmap/1'],
  ['strace 2 1', 'strace/1'],
  ['dump -B -o jiffies 20', 'rd/1'],
] as const;

describe('JSON', () => {
  test.each([...examples, ...more])('%s is what its schema says', async (line, schema) => {
    const answer = await answerOf(kernel, line);
    const document = answerEnvelope({ version: '0', schema, input: 'dump' }, answer);
    const read = JSON.parse(JSON.stringify(document)) as typeof document;
    expect(schemaProblems(read)).toEqual([]);
    expect([...answer.text()].length).toBeGreaterThan(0);
  });
});

const rule = /^=+$/;

/** The lines between the second rule of a table and its end. */
function tableBody(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => rule.test(line));
  const last = lines.findLastIndex((line) => rule.test(line));
  return lines.slice(first + 1, last);
}

describe('the same facts as from our other commands', () => {
  test('stat: names, times and panic of sys, the end of log', async () => {
    const { system, log, earlierRecords } = await dataOf('stat');
    const sys = await dataOf('sys');
    const { records } = await dataOf('log');
    const { release, version, machine, nodename } = sys;
    expect(system.utsname).toMatchObject({ release, version, machine, nodename });
    expect(system).toMatchObject({
      time: sys.time,
      uptimeSeconds: sys.uptimeSeconds,
      panic: sys.panic,
    });
    expect(log).toEqual(records.slice(-log.length));
    expect(earlierRecords).toBe(records.length - log.length);
    const lines = await linesOf(kernel, 'stat');
    expect(lines).toContain(`   release : ${release}`);
    expect(lines).toContain(`     panic : ${sys.panic}`);
    const [last] = (await linesOf(kernel, 'log -m')).slice(-1);
    const [, time, level, text] = /^(\[.+?\] )(<\d>)(.*)$/.exec(last!)!;
    expect(lines.at(-2)).toBe(`    ${level}${time}${text}`);
  });

  test('trace: functions, offsets, addresses and words of bt', async () => {
    for (const [ours, theirs] of [
      ['bt', 'trace'],
      ['bt 2', 'trace 2'],
      ['bt -f', 'trace -f'],
    ]) {
      expect(await dataOf(theirs!)).toEqual(await dataOf(ours!));
    }
    const [{ frames, task, comm }] = (await dataOf('bt')).stacks;
    const lines = await linesOf(kernel, 'trace');
    expect(lines[1]).toBe(`STACK TRACE FOR TASK: ${task} (${comm})`);
    // biome-ignore lint/suspicious/noExplicitAny: see above.
    const expected = frames.map((frame: any, index: number) => {
      return `${String(index).padStart(2)} ${frame.function}+${frame.offset} [${frame.address}]`;
    });
    expect(lines.slice(3, -1)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(5);
  });

  test('trace -a: every task of ps', async () => {
    const { stacks } = await dataOf('trace -a');
    const { tasks } = await dataOf('ps');
    // biome-ignore lint/suspicious/noExplicitAny: see above.
    const addresses = (all: any[]): string[] => all.map(({ task }) => task).sort();
    expect(addresses(stacks)).toEqual(addresses(tasks));
  });

  test('trace names the module of a function before it', async () => {
    const { modules } = await dataOf('mod');
    const frame = { index: 3, symbol: 'f', offset: 7, module: modules[0].name, reliable: true };
    const { frameLine } = await import('../../src/analyze/trace.ts');
    const line = frameLine({ ...frame, address: 0x10n } as Parameters<typeof frameLine>[0]);
    expect(line).toBe(` 3 [${modules[0].name}]f+7 [0x0000000000000010]`);
  });

  test('strace: the live trace is that of bt, every return address of it is on the list', async () => {
    const { traces, addresses } = await dataOf('strace');
    const [{ frames }] = (await dataOf('bt')).stacks;
    expect(traces[0]).toEqual({ complete: true, frames });
    const slots = new Set(addresses.map(({ slot }: { slot: string }) => slot));
    for (const { stackPointer, kind } of frames) {
      if (kind === 'call') expect(slots).toContain(stackPointer);
    }
    expect(traces.length).toBeGreaterThan(1);
    for (const { frames: some, complete } of traces) {
      expect(complete).toBe(true);
      expect(some.length).toBeGreaterThanOrEqual(3);
    }
    const all = await dataOf('strace -a 1 2');
    expect(all.traces.length).toBeGreaterThan(traces.length);
  });

  test('walk: tasks of ps, modules of mod both ways, members of struct', async () => {
    const { entries } = await dataOf('walk -h n task_struct tasks init_task.tasks');
    const { tasks } = await dataOf('ps');
    const byTask = new Map<string, Record<string, unknown>>(
      tasks.map((task: { task: string }) => [task.task, task]),
    );
    for (const { address, pid, ppid, state, cpu, comm } of entries) {
      expect(byTask.get(address)).toMatchObject({ pid, ppid, state, cpu, comm });
    }
    const leaders = tasks.filter(({ pid, tgid }: Record<string, number>) => pid === tgid && pid);
    expect(entries).toHaveLength(leaders.length);

    const { modules } = await dataOf('mod');
    const known = modules.map(({ module }: { module: string }) => module).sort();
    for (const way of ['n', 'p']) {
      const walked = await dataOf(`walk -t -h ${way} module list modules`);
      const found = walked.entries.map(({ address }: { address: string }) => address);
      expect(found.sort()).toEqual(known);
    }
    const [{ address, value }] = (await dataOf('walk -s -h n module list modules')).entries;
    const [shown] = (await dataOf(`struct module ${address}`)).objects;
    expect(value).toEqual(shown.value);
  });

  test('walk by a pointer ends where it began, and counts hops', async () => {
    const lines = await linesOf(kernel, 'walk list_head next modules');
    const { modules } = await dataOf('mod');
    expect(tableBody(lines)).toHaveLength(modules.length + 1);
    expect(lines.at(-1)).toBe(`${modules.length + 1} list_head structs found`);
    const offset = await linesOf(kernel, 'walk list_head 0 modules');
    expect(offset).toEqual(lines);
  });

  test('dump: bytes of rd in each width', async () => {
    for (const [letter, width] of [
      ['-B', 8],
      ['-H', 16],
      ['-W', 32],
      ['-D', 64],
    ] as const) {
      const ours = await dataOf(`rd -w ${width} linux_banner 9`);
      expect(await dataOf(`dump ${letter} linux_banner 9`)).toEqual(ours);
      const words = (lines: readonly string[]): string[] =>
        lines.map((line) =>
          line
            .replace(/^(0x)?[0-9a-f]+: +/, '')
            .replace(/ {2,}.*$/, '')
            .trim(),
        );
      expect(words(await linesOf(kernel, `dump ${letter} linux_banner 9`))).toEqual(
        words(await linesOf(kernel, `rd -w ${width} linux_banner 9`)),
      );
    }
    const [banner] = await linesOf(kernel, 'dump linux_banner 2');
    expect(banner).toMatch(
      /^0x[0-9a-f]{16}: 65762078756e694c 2e36206e6f697372 {2}: Linux version 6\.$/,
    );
    expect(await linesOf(kernel, 'dump -H -d linux_banner')).toEqual([
      expect.stringMatching(/: 26956 +: Li$/),
    ]);
    expect(await linesOf(kernel, 'dump -B -o linux_banner')).toEqual([
      expect.stringMatching(/: 114 +: L$/),
    ]);
  });

  test('module: sizes of mod, symbols of sym; references are those of the list', async () => {
    const { modules } = await dataOf('module');
    const mod = await dataOf('mod');
    expect(
      modules.map(({ name, size, address }: Record<string, unknown>) => [name, size, address]),
    ).toEqual(
      mod.modules.map(({ name, size, module }: Record<string, unknown>) => [name, size, module]),
    );
    const [virtio] = (await dataOf('module virtio')).modules;
    const { symbols } = await dataOf('sym -m virtio');
    expect(
      virtio.symbols.map(({ name, address }: Record<string, string>) => [name, address]),
    ).toEqual(symbols.map(({ name, address }: Record<string, string>) => [name, address]));
    expect(virtio.usedBy).toEqual(['virtio_net', 'virtio_blk', 'virtio_pci']);
    expect(virtio.uses).toEqual(['virtio_ring']);
    // Nothing else holds these: open files and devices would count too.
    const counts = modules.map(({ name, used }: Record<string, unknown>) => [name, used]);
    expect(counts).toContainEqual(['virtio', 3]);
    expect(counts).toContainEqual(['virtio_net', 0]);
    for (const { used, usedBy } of modules) expect(used).toBeGreaterThanOrEqual(usedBy.length);
    // Whoever needs a module is among those that hold it.
    for (const name of virtio.usedBy) {
      const [other] = (await dataOf(`module ${name}`)).modules;
      expect(other.uses).toContain('virtio');
    }
  });

  test('mmap: address, tables and mappings of vm', async () => {
    const [{ address, pgd, mappings, vmas }] = (await dataOf('mmap -n')).spaces;
    const [vm] = (await dataOf('vm')).tasks;
    expect([address, pgd]).toEqual([vm.mm, vm.pgd]);
    expect(mappings).toBe(vm.mappings.length);
    const bounds = (all: Record<string, string>[]): unknown[] =>
      all.map(({ start, end }) => [start, end]);
    expect(bounds(vmas)).toEqual(bounds(vm.mappings));
    expect(await dataOf(`mmap ${address}`)).toEqual(await dataOf('mmap'));
  });

  test('page: by number and by address the same, flags of the struct by name', async () => {
    const [page] = (await dataOf('page -f 1000')).pages;
    expect(await dataOf(`page -f ${page.address}`)).toEqual({ pages: [page] });
    expect(page).toMatchObject({ pfn: 0x1000, count: 1, names: ['reserved'] });
    expect(BigInt(page.flags)).toBe(BigInt(page.value.flags));
    expect(page.value._refcount.counter).toBe(page.count);
  });

  test('findsym and symbol: addresses of sym', async () => {
    for (const word of ['jiffies', 'schedule', 'ffffffff9a000010']) {
      const ours = await answerOf(kernel, `sym ${word}`).then((answer) => answer.json(), String);
      const theirs = await answerOf(kernel, `findsym ${word}`).then(
        (found) => found.json(),
        String,
      );
      expect(theirs).toEqual(ours);
    }
    const [{ address }] = (await dataOf('sym schedule')).symbols;
    const lines = await linesOf(kernel, 'symbol schedule');
    expect(tableBody(lines)).toEqual([`${address}       0 GLOBAL_TEXT   schedule`]);
    expect(lines.at(-1)).toBe('1 symbol found');
  });

  test('report: stat, log, tasks, and the stacks of bt and bt -a', async () => {
    const data = await dataOf('report');
    expect(data.system).toEqual((await dataOf('stat')).system);
    expect(data.log).toEqual((await dataOf('log')).records);
    expect(data.failing).toEqual(await dataOf('bt'));
    expect(data.cpus).toEqual(await dataOf('bt -a'));
    expect(data.tasks).toHaveLength((await dataOf('ps')).tasks.length);
    const lines = await linesOf(kernel, 'report');
    const headings = lines.filter((line, at) => {
      const around = [lines[at - 1] ?? '', lines[at + 1] ?? ''];
      return around.every((other) => rule.test(other) && other.length === line.length);
    });
    expect(headings).toEqual([
      'LCRASH CORE FILE REPORT',
      'COREFILE SUMMARY',
      'UTSNAME INFORMATION',
      'LOG BUFFER DUMP',
      'CURRENT SYSTEM TASKS',
      'STACK TRACE OF FAILING TASK',
      'TASK HAS CPU (0)',
      'TASK HAS CPU (1)',
    ]);
  });
});

describe('what is wrong', () => {
  test.each([
    ['walk', 'usage'],
    ['walk task_struct tasks', 'usage'],
    ['walk no_such_struct next init_task', 'absent'],
    ['walk task_struct no_such_member init_task', 'absent'],
    ['walk task_struct tasks init_task.tasks', 'usage'],
    ['walk task_struct pid init_task', 'usage'],
    ['walk -h x task_struct tasks init_task.tasks', 'usage'],
    ['walk -h n task_struct pid init_task', 'usage'],
    ['walk -t task_struct real_parent init_task', 'usage'],
    ['walk -i 0 task_struct real_parent init_task', 'usage'],
    ['walk 0xffffffff81000000 0 0', 'usage'],
    ['dump', 'usage'],
    ['dump -B -W jiffies', 'usage'],
    ['dump 10', 'absent'],
    ['module no_such_module', 'absent'],
    ['mmap no_such_symbol', 'absent'],
    ['page', 'usage'],
    ['page ffffffff9b000000', 'usage'],
    ['page 1000000', 'usage'],
    ['strace 1 0', 'usage'],
    ['strace 1 2 3', 'usage'],
    ['strace -a -l', 'usage'],
    ['trace 99999', 'absent'],
    ['findsym', 'usage'],
    ['findsym no_such_symbol', 'absent'],
  ])('%s fails by name', async (line, code) => {
    const failure = await answerOf(kernel, line).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(DumpError);
    expect((failure as DumpError).code).toBe(code);
  });

  test('where not even a beginning can be read there is no structure', async () => {
    const answer = await answerOf(kernel, 'mmap 1234');
    expect(tableBody([...answer.text()])).toEqual([]);
    expect(answer.missing).toMatchObject([{ what: 'struct mm_structs', count: 1 }]);
  });

  test('walk -i: the hops before the limit, and that there are more', async () => {
    const answer = await answerOf(kernel, 'walk -i 3 -h n task_struct tasks init_task.tasks');
    expect(tableBody([...answer.text()])).toHaveLength(3);
    expect(answer.missing[0]!.why).toContain('goes on after 3 hops');
  });

  /** The same dump with eight bytes of kernel memory changed. */
  function patched(address: bigint, value: bigint): Kernel {
    const at = kernel.memory.translate(address).physical;
    const dump = withPages(kernel.dump, (pfn, bytes) => {
      if (pfn !== Number(at >> 12n)) return bytes;
      const changed = bytes.slice();
      new DataView(changed.buffer).setBigUint64(Number(at & 0xfffn), value, true);
      return changed;
    });
    return openKernel(dump);
  }

  test('a list that runs in a circle or into nothing: entries up to there', async () => {
    const { entries } = await dataOf('walk -t -h n module list modules');
    const link = BigInt(entries[4].listHead);
    const circle = patched(link, BigInt(entries[1].listHead));
    const round = await answerOf(circle, 'walk -h n -t module list modules');
    expect(tableBody([...round.text()])).toHaveLength(5);
    expect(round.missing[0]!.why).toMatch(/comes back to 0x/);
    for (const wild of [0n, 0xdead_beef_0000_0000n]) {
      const lost = await answerOf(patched(link, wild), 'walk -h n -t module list modules');
      expect(tableBody([...lost.text()])).toHaveLength(5);
      expect(lost.missing).toHaveLength(1);
    }
  });

  /** Functions of a trace, innermost first. */
  const functionsOf = ({ frames }: { frames: { function: string }[] }): string[] =>
    frames.map((frame) => frame.function);

  test('a task whose stack pointer is lost: strace finds where it sleeps', async () => {
    const [{ task, frames }] = (await dataOf('bt 2')).stacks;
    const at = BigInt(task) + BigInt(kernel.types.offsetOf('struct task_struct', 'thread.sp'));
    const lost = patched(at, 0n);
    expect((await dataOf('bt 2', lost)).stacks[0].frames).toEqual([]);
    const found = (await dataOf('strace 2', lost)).traces.map(functionsOf);
    expect(found).toContainEqual(functionsOf({ frames }));
  });

  test('a trace that breaks off does not hide what leads on from within it', async () => {
    const [{ frames }] = (await dataOf('bt')).stacks;
    const broken = frames.findIndex(
      (frame: { function: string }) => frame.function === 'vfs_write',
    );
    const holed = patched(BigInt(frames[broken].stackPointer), 0n);
    expect((await dataOf('bt', holed)).stacks[0].complete).toBe(false);
    const [first] = (await dataOf('strace', holed)).traces;
    expect(functionsOf(first)).toEqual(functionsOf({ frames: frames.slice(broken + 1) }));
  });

  test('a stack page that is lost: the other words are searched, the lost ones counted', async () => {
    const { addresses } = await dataOf('strace -l');
    const top = BigInt(addresses[0].slot);
    const lost = Number(kernel.memory.translate(top).physical >> 12n);
    const poor = openKernel(
      withPages(kernel.dump, (pfn, bytes) => (pfn === lost ? 'missing' : bytes)),
    );
    const answer = await answerOf(poor, 'strace -l');
    expect(answer.missing).toMatchObject([{ what: 'words of the stack', count: 512 }]);
    const page = (slot: string): bigint => BigInt(slot) >> 12n;
    const left = addresses.filter(({ slot }: { slot: string }) => page(slot) !== top >> 12n);
    expect((await dataOf('strace -l', poor)).addresses).toEqual(left);
  });
});
