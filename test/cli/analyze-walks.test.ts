/** `list`, `tree` and `dis`: their JSON, and damaged memory: circles, wild pointers, lost pages. */

import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { walkCommands } from '../../src/analyze/table-walks.ts';
import { DumpError } from '../../src/bytes/errors.ts';
import { type Kernel, openKernel } from '../../src/linux/kernel.ts';
import { addressOf, type KernelObject, memberAddress } from '../../src/linux/objects.ts';
import { vmasOf } from '../../src/linux/vma.ts';
import { answerEnvelope } from '../../src/render/envelope.ts';
import { kernelOf } from '../fixtures/machine.ts';
import { answerOf, linesOf } from '../support/ask.ts';
import { openFixture } from '../support/fixture.ts';
import { PatchedDump } from '../support/patched.ts';
import { schemaProblems } from '../support/schemas.ts';

const original = await openFixture();
const kernel = openKernel(original);
const patched = new PatchedDump(original);
afterEach(() => patched.restore());
afterAll(() => original.close());

const init = kernel.object('struct task_struct', kernel.symbol('init_task').address);
const {
  modules,
  vmap_area_root: areas,
  irq_desc_tree: irqs,
} = addressesOf(...['modules', 'vmap_area_root', 'irq_desc_tree']);
const firstProcess = [...kernel.tasks()].find(({ pid }) => pid === 1)!;
const mapping = firstProcess.mm.exe_file.f_mapping as KernelObject;

function addressesOf(...names: string[]): Record<string, bigint> {
  return Object.fromEntries(names.map((name) => [name, kernel.symbol(name).address]));
}

const lines = [
  ...walkCommands.flatMap(({ examples }) => examples.map(([words]) => words)),
  'list -r -H modules module.list',
  'list -s task_struct.se.load -s list_head task_struct.tasks -h init_task', 'list init_task.tasks',
  'list -H init_task.ptraced', 'list -B modules',
  'tree -t xarray -p irq_desc_tree -s irq_desc.irq_data.irq', 'tree -t radix irq_desc_tree -x',
  `tree -t maple -v -r mm_struct.mm_mt ${hex(firstProcess.mm)}`,
  `tree -t maple -p -s vm_area_struct.vm_start -r mm_struct.mm_mt ${hex(firstProcess.mm)}`,
  `tree -t xarray -p -r address_space.i_pages ${hex(mapping)}`,
  'dis schedule', 'dis -x -r schedule+90 3', 'dis jiffies 3', 'dis -b', 'dis -l yield',
]; // biome-ignore format: one list

function hex(view: KernelObject): string {
  return addressOf(view).toString(16);
}

// biome-ignore lint/suspicious/noExplicitAny: what it is, its schema says.
async function dataOf(of: Kernel, line: string): Promise<any> {
  return JSON.parse(JSON.stringify((await answerOf(of, line)).json()));
}

describe('JSON', () => {
  test.each(lines)('%s is what its schema says', async (line) => {
    const name = line.split(' ')[0]!;
    const { schema } = walkCommands.find((command) => command.name === name)!;
    const answer = await answerOf(kernel, line);
    const document = answerEnvelope({ version: '0', schema, input: 'dump' }, answer);
    expect(schemaProblems(JSON.parse(JSON.stringify(document)))).toEqual([]);
    expect(document.missing).toEqual([]);
  });

  test('every example of the help is answered on the default machine', async () => {
    const machine = await kernelOf('null-process');
    for (const { examples } of walkCommands) {
      for (const [words] of examples) expect(await linesOf(machine, words)).not.toEqual(['']);
    }
  });

  test('structs of an entry stand by their types, members by their paths', async () => {
    const line = 'list task_struct.tasks -s task_struct.pid,comm -s list_head -h init_task';
    const { entries } = await dataOf(kernel, line);
    expect(entries).toHaveLength(62);
    expect(entries[0].address).toBe(`0x${hex(init)}`);
    expect(entries[1].structs[0]).toEqual({
      type: 'struct task_struct',
      value: { pid: 1, comm: 'init' },
    });
    expect(entries[1].structs[1].type).toBe('struct list_head');
  });

  test('dis: where it leads, and what the panic has to do with it', async () => {
    const machine = await kernelOf('null-process');
    const trace = await linesOf(machine, 'bt');
    const at = trace.findIndex((line) => line.includes('[exception RIP: '));
    const [, name, offset] = /RIP: ([\w.]+)\+(\d+)\]/.exec(trace[at]!)!;
    const caller = trace.slice(at).find((line) => / at /.test(line))!;
    const marked = (await linesOf(machine, `dis ${name}`)).filter((line) => line.startsWith('=> '));
    expect(marked).toHaveLength(1);
    expect(marked[0]).toContain(`<${name}+${offset}>:`);
    const { instructions } = await dataOf(machine, `dis ${name}`);
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const faulting = instructions.filter((one: any) => one.faulting);
    expect(faulting).toHaveLength(1);
    expect(marked[0]).toContain(faulting[0].text);
    expect(marked[0]).toContain(BigInt(faulting[0].address).toString(16));
    const call = await dataOf(machine, `dis ${/\] ([\w.]+) at/.exec(caller)![1]}`);
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const frames = call.instructions.filter((one: any) => one.frame !== null);
    expect(frames).toHaveLength(1);
    expect(frames[0].text).toMatch(/^call /);
  });
});

describe('lists that are not sound', () => {
  const names = 'list -H modules -o module.list -s module.name';
  const links = (count: number): bigint[] => {
    const found = [modules!];
    while (found.length <= count) found.push(kernel.memory.u64(found.at(-1)!));
    return found;
  };

  async function broken(): Promise<{ shown: number; why: string[]; codes: string[] }> {
    const answer = await answerOf(openKernel(patched.dump), names);
    const shown = [...answer.text()].filter((line) => line.startsWith('ffff')).length;
    const why = answer.missing.map((one) => one.why);
    return { shown, why, codes: (answer.errors ?? []).map(({ code }) => code) };
  }

  test('a circle beside the head ends at the entry that comes again', async () => {
    const [, , second, , fourth] = links(4);
    patched.writeU64(fourth!, second!);
    const at = kernel.types.offsetOf('struct module', 'list');
    const name = (link: bigint): string => (link - BigInt(at)).toString(16);
    expect(await broken()).toEqual({
      shown: 4,
      why: [
        `duplicate list entry: ${name(second!)}, behind ${name(fourth!)}: ` +
          'the list runs in a circle',
      ],
      codes: ['corrupt'],
    });
  });

  test('0 is no end of a list of list_heads, but of others it is', async () => {
    const [, , second] = links(2);
    patched.writeU64(second!, 0n);
    expect(await broken()).toMatchObject({ shown: 2, codes: ['corrupt'] });
    const plain = await answerOf(openKernel(patched.dump), 'list modules');
    expect([...plain.text()]).toHaveLength(3);
    expect(plain.missing).toEqual([]);
  });

  test('a wild pointer is shown as the last entry, and said to lead nowhere', async () => {
    const [, , second] = links(2);
    patched.writeU64(second!, 0xdead_0000_0000_0100n);
    const { shown, why } = await broken();
    expect(shown).toBe(2);
    expect(why[0]).toMatch(/^list entry dead0000000000f8: not a canonical address/);
  });

  test.each(['-s', '-S'])('%s: an entry is there where its members are lost', async (option) => {
    const far = BigInt(kernel.types.offsetOf('struct task_struct', 'thread.sp'));
    patched.remove(addressOf(firstProcess) + far, 8);
    const line = `list task_struct.parent ${option} task_struct.thread.sp ${hex(firstProcess)}`;
    const answer = await answerOf(openKernel(patched.dump), line);
    expect([...answer.text()][1]).toBe('  thread.sp = <not in the dump>');
    expect(answer.missing).toMatchObject([{ what: 'members', count: 1 }]);
    JSON.stringify(answer.json());
    expect(answer.missing).toMatchObject([{ what: 'members', count: 1 }]);
  });

  test('one that leads to itself is empty', async () => {
    expect(await linesOf(kernel, 'list -H init_task.ptraced')).toEqual(['(empty)']);
    expect(await dataOf(kernel, 'list -H init_task.ptraced')).toEqual({ entries: [] });
  });
});

describe('trees', () => {
  test('a red-black tree from left to right is sorted, each node at its place', async () => {
    const line = 'tree -o vmap_area.rb_node -l -s vmap_area.va_start vmap_area_root';
    const { entries } = await dataOf(kernel, line);
    const starts = entries.map((one: never) => BigInt(one['structs'][0]['value']['va_start']));
    expect(starts).toEqual([...starts].sort((a, b) => (a < b ? -1 : 1)));
    expect(starts).toHaveLength(98);
    const upright = await dataOf(kernel, 'tree -o vmap_area.rb_node vmap_area_root');
    expect(upright.entries[0].position).toBe('root');
    expect(new Set(upright.entries.map((one: never) => one['address']))).toEqual(
      new Set(entries.map((one: never) => one['address'])),
    );
  });

  test('a red-black tree with a loop and a wild pointer keeps its other branches', async () => {
    const root = kernel.memory.u64(areas!);
    const right = BigInt(kernel.types.offsetOf('struct rb_node', 'rb_right'));
    const left = BigInt(kernel.types.offsetOf('struct rb_node', 'rb_left'));
    const child = kernel.memory.u64(root + left);
    patched.writeU64(child + right, root);
    patched.writeU64(root + right, 8n);
    const answer = await answerOf(openKernel(patched.dump), 'tree vmap_area_root');
    const shown = [...answer.text()];
    expect(shown.length).toBeGreaterThan(10);
    expect(shown.length).toBeLessThan(98);
    expect(answer.missing).toMatchObject([{ what: 'branches', count: 2 }]);
    expect(answer.errors!.map(({ message }) => message)).toEqual([
      `tree node ${root.toString(16)}: it has been met before`,
      expect.stringMatching(/^tree node 8: /),
    ]);
  });

  test('an XArray of two levels: indexes by their slots', async () => {
    const line = `tree -t xarray -p -r address_space.i_pages ${hex(mapping)}`;
    const { entries } = await dataOf(kernel, line);
    expect(entries).toHaveLength(Number(mapping.nrpages));
    for (const { index, position } of entries) {
      const [high, low] = position.replace('root/', '').split('/').map(Number);
      expect(Number(index)).toBe(high * 64 + low);
    }
  });

  test('an XArray whose node leads to itself ends', async () => {
    const node = kernel.memory.u64(irqs! + 8n) & ~3n;
    const slots = BigInt(kernel.types.offsetOf('struct xa_node', 'slots'));
    patched.write(
      node + BigInt(kernel.types.offsetOf('struct xa_node', 'shift')),
      Uint8Array.of(6),
    );
    patched.writeU64(node + slots, node | 2n);
    const answer = await answerOf(openKernel(patched.dump), 'tree -t x irq_desc_tree');
    expect([...answer.text()].length).toBeGreaterThan(5);
    expect(answer.missing).toMatchObject([{ what: 'branches', count: 1 }]);
  });

  test('a maple tree has the mappings of its process, and its nodes where they are asked', async () => {
    const { vmas } = vmasOf(kernel, firstProcess.mm);
    const line = `tree -t maple -r mm_struct.mm_mt ${hex(firstProcess.mm)}`;
    expect(await linesOf(kernel, line)).toEqual(vmas.map(hex));
    const { entries, nodes } = await dataOf(kernel, `${line} -v`);
    expect(entries.map((one: never) => [one['index'], one['last']])).toEqual(
      vmas.map(({ vm_start, vm_end }) => [String(vm_start), String(vm_end - 1n)]),
    );
    expect(nodes.length).toBeGreaterThan(0);
    const [head, , node, ...rest] = await linesOf(kernel, `${line} -v`);
    const tree = memberAddress(firstProcess.mm, 'mm_mt').toString(16);
    expect(head).toMatch(new RegExp(`^maple_tree\\(${tree}\\) flags \\w+, height \\d root 0x`));
    expect(node).toMatch(
      /^0-18446744073709551615: node 0x\w+ depth 0 type \d parent 0x\w+ contents: /,
    );
    for (const vma of vmas) {
      const range = `${vma.vm_start}-${vma.vm_end - 1n}`;
      expect(rest.map((text) => text.trim())).toContain(`${range}: 0x${hex(vma)}`);
    }
  });
});

describe('dis', () => {
  test('code up to the page that is lost, and no half instruction', async () => {
    const start = kernel.symbol('do_exit').address;
    const next = (start & ~0xfffn) + 0x1000n;
    patched.remove(next, 1);
    const whole = await linesOf(kernel, 'dis do_exit');
    const answer = await answerOf(openKernel(patched.dump), 'dis do_exit');
    const shown = [...answer.text()];
    expect(shown.length).toBeGreaterThan(5);
    expect(shown).toEqual(whole.slice(0, shown.length));
    expect(answer.missing).toMatchObject([{ what: 'instructions', count: null }]);
    const behind = await answerOf(openKernel(patched.dump), `dis -r do_exit+${next - start + 8n}`);
    expect(behind.missing).toMatchObject([{ what: 'instructions' }]);
  });

  test('user code of the task in question', async () => {
    const machine = await kernelOf('base');
    const init = [...machine.tasks()].find(({ pid }) => pid === 1)!;
    const question = await answerOf(machine, 'dis -u 400000 2').catch((error: unknown) => error);
    expect(question).toBeInstanceOf(DumpError);
    const { run } = await walkCommands.find(({ name }) => name === 'dis')!.load();
    const context = { input: 'dump', task: addressOf(init) };
    const text = [...run(machine, ['400000', '2'], { user: true }, context).text()];
    expect(text[0]).toMatch(/^ {3}0x400000:\tjg {5}0x400047$/);
  });

  test('an ambiguous name is refused with the addresses that it has', async () => {
    const asked = answerOf(kernel, 'dis vp_set_status');
    await expect(asked).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('ffffffffc03c1670 [virtio_pci], ffffffffc03c2cf0'),
    });
  });
});

test.each([
  ['list', 'list needs the address where it starts'],
  ['list 1 2 3', 'list needs the address where it starts'],
  ['list modules init_task', '"init_task" is too much'],
  ['list -o 8 module.list modules', 'is too much'],
  ['list -h -H modules', '--head and --inside do not go together'],
  ['list -O 8 modules', '--head-offset needs --inside'],
  ['list -l 8 modules', '--contained needs --struct'],
  ['list -s module.name -S module.name modules', '--struct and --raw do not go together'],
  ['list no_struct.member modules', 'no struct or union "no_struct"'],
  ['list -s task_struct.nothing modules', 'has no member "nothing"'],
  ['tree', 'tree needs the address of a root'],
  ['tree -t oak modules', '"oak" is no kind of tree'],
  ['tree -t x -l modules', '--linear does not apply to a tree of type xarray'],
  ['tree -v modules', '--verbose does not apply to a tree of type rbtree'],
  ['tree -r 8 -N modules', '--root and --node do not go together'],
  ['dis', 'dis needs an address'],
  ['dis schedule 0', '"0" is no count'],
  ['dis -r -f schedule', '--reverse and --forward do not go together'],
  ['dis no_such_function', 'no symbol'],
  ['dis -f ffff888000000000', 'no function is known to be there'],
  ['dis -b 2', 'no kernel since 2.6.20'],
])('%s: %s', async (line, message) => {
  await expect(answerOf(kernel, line)).rejects.toThrow(DumpError);
  await expect(answerOf(kernel, line)).rejects.toThrow(message);
});

test('any word of memory changed: an answer that ends, or a DumpError', async () => {
  const asked = [
    'list -H modules -o module.list -s module',
    'list task_struct.tasks -h init_task -S task_struct.comm,parent,mm',
    'tree -o vmap_area.rb_node vmap_area_root -s vmap_area',
    'tree -t x irq_desc_tree -s irq_desc.irq_data',
    `tree -t maple -v -r mm_struct.mm_mt ${hex(firstProcess.mm)}`,
    `tree -t xarray -p -r address_space.i_pages ${hex(mapping)}`,
  ]; // biome-ignore format: one list
  const maple = kernel.memory.u64(memberAddress(firstProcess.mm, 'mm_mt.ma_root')) & ~0xffn;
  const pages = kernel.memory.u64(memberAddress(mapping, 'i_pages.xa_head')) & ~3n;
  const places = [
    ...[modules!, kernel.memory.u64(modules!), kernel.memory.u64(areas!), areas!, irqs! + 8n],
    ...[memberAddress(init, 'tasks'), memberAddress(firstProcess, 'tasks'), maple, pages],
    ...[kernel.memory.u64(irqs! + 8n) & ~3n],
  ];
  const inner = fc
    .constantFrom(...places)
    .chain((base) =>
      fc.integer({ min: 0, max: 31 }).map((word) => (base & ~7n) + BigInt(word * 8)),
    );
  const value = fc.oneof(
    inner,
    fc.constantFrom(0n, 2n, 8n, 0x1002n, 0xffff_ffff_ffff_ffffn, 0xdead_0000_0000_0100n),
    inner.chain((address) =>
      fc.integer({ min: 0, max: 127 }).map((low) => (address & ~0xffn) | BigInt(low)),
    ),
    fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  );
  const changes = fc.array(fc.tuple(inner, value), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(changes, fc.constantFrom(...asked), async (words, line) => {
      patched.restore();
      for (const [address, word] of words) patched.writeU64(address, word);
      try {
        const answer = await answerOf(openKernel(patched.dump), line);
        let count = 0;
        for (const _ of answer.text()) count++;
        expect(count).toBeLessThan(1_000_000);
        JSON.stringify(answer.json());
      } catch (error) {
        expect(error).toBeInstanceOf(DumpError);
      }
    }),
    { seed: 4, numRuns: 120 },
  );
}, 60_000);

test('dis says where code goes on behind a label that ends what was asked for', async () => {
  const notesOf = async (line: string): Promise<unknown> => (await answerOf(kernel, line)).notes;
  expect(await notesOf('dis entry_SYSCALL_64')).toEqual([
    'the code goes on: dis entry_SYSCALL_64_safe_stack',
  ]);
  expect(await notesOf('dis schedule')).toEqual([]);
});
