/** `--emit-types`: the declarations hold for what objects give, and a compiler takes them. */

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { typeDeclarations } from '../../src/analyze/type-declarations.ts';
import { attempt } from '../../src/bytes/errors.ts';
import { emitTypes } from '../../src/cli/emit-types.ts';
import type { Io } from '../../src/cli/io.ts';
import type { Output } from '../../src/cli/output.ts';
import { Btf } from '../../src/linux/btf.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import { walkList } from '../../src/linux/lists.ts';
import { isKernelObject, type KernelObject, typeOf } from '../../src/linux/objects.ts';
import { TypeTable } from '../../src/linux/types.ts';
import { BtfWriter } from '../support/btf.ts';
import { machine, type Run, root, tsdump } from '../support/cli.ts';
import { openFixture, withPages } from '../support/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsdump-types-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const emit = (...words: string[]): Run => tsdump(['analyze', machine, ...words], { cwd: folder });

/** The compiler's complaints. */
function compile(...files: string[]): string {
  const words = '--noEmit --strict --module nodenext --target es2023 --types'.split(' ');
  const tsc = join(root, 'node_modules/.bin/tsc');
  return spawnSync(tsc, [...words, '', ...files], { cwd: folder, encoding: 'utf8' }).stdout;
}

beforeAll(() => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/tsdump'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  expect(emit('--emit-types', 'vmcore.d.ts')).toEqual({ status: 0, stdout: '', stderr: '' });
});

const script = `
  import { findVma, type KernelTypes, panicTask, type Script, taskState, vmasOf } from 'tsdump';
  import { addressOf, walkList } from 'tsdump';

  const weight = (task: KernelTypes['struct task_struct']): bigint => task.se.load.weight;

  export default (({ kernel, print }) => {
    for (const task of kernel.tasks()) {
      if (taskState(task) === 'RU') print(task.comm.padEnd(16), weight(task), addressOf(task));
      if (task.mm !== null) print(findVma(vmasOf(kernel, task.mm), task.mm.start_stack)?.vm_end);
    }
    const init = kernel.variable('init_task');
    for (const bits of init.cpus_mask.bits) print(bits.toString(16), init.thread.sp + 1n);
    const head = kernel.symbol('modules').address;
    const { objects } = walkList(kernel, head, 'struct module', 'list', 100);
    print(objects[0]?.name.toUpperCase(), panicTask(kernel)?.task.mm?.pgd);
    return kernel.object('atomic_t', addressOf(init.usage)).counter > 0;
  }) satisfies Script;
`;

describe('a script with the types of its dump', { timeout: 120_000 }, () => {
  test('compiles, and runs', () => {
    writeFileSync(join(folder, 'use.ts'), script);
    expect(compile('use.ts', 'vmcore.d.ts')).toBe('');
    const { stdout, stderr, status } = emit('--script', 'use.ts');
    expect([stderr, status]).toEqual(['', 0]);
    expect(stdout).toMatch(/^init {13}/m);
  });

  test.each([
    ['load.weight', 'load.weigth', "Did you mean 'weight'?"],
    ['task.mm !== null', 'true', "'task.mm' is possibly 'null'"],
    ["kernel.variable('init_task')", "kernel.object('struct task', 0n).x", 'any'],
    ['.counter > 0', ".counter === 'x'", "types 'number' and 'string' have no overlap"],
  ])('%s written as %s: %s', (right, wrong, complaint) => {
    writeFileSync(join(folder, 'typo.ts'), script.replace(right, wrong));
    const said = compile('typo.ts', 'vmcore.d.ts');
    // What was not declared is as free as without the file.
    if (complaint === 'any') expect(said).toBe('');
    else expect(said).toContain(complaint);
  });
});

describe('the file', () => {
  test('is what goes to standard output', () => {
    expect(emit('--emit-types').stdout).toBe(readFileSync(join(folder, 'vmcore.d.ts'), 'utf8'));
  });

  test('is not replaced but with --force, and none is left behind where there are no types', () => {
    const again = emit('--emit-types', 'vmcore.d.ts');
    expect([again.status, again.stderr.split('\n')[0]]).toEqual([6, 'tsdump: io: exists already']);
    expect(emit('--emit-types', 'vmcore.d.ts', '--force').status).toBe(0);
    const old = join(root, 'test/dumps/linux-4.15.kdump');
    const none = tsdump(['analyze', old, '--emit-types', 'none.d.ts'], { cwd: folder });
    expect(none.status).toBe(5);
    expect(existsSync(join(folder, 'none.d.ts'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test.each([
    ['--script', 'use.ts', '--emit-types'],
    ['--emit-types', 'x.d.ts', '-c', 'sys'],
    ['--force', 'sys'],
  ])('one thing at a time: %s %s %s', (...words) => {
    const { status, stderr } = emit(...words.filter((word) => word !== undefined));
    expect([status, stderr]).toEqual([2, expect.stringContaining('do not go together')]);
  });
});

/** Interfaces of a declaration file, with the text of each member's type. */
function interfacesOf(text: string): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const [, name, body] of text.matchAll(/^interface (\S+) \{\n([\s\S]*?)^\}/gm)) {
    const members = [...body!.matchAll(/^ {2}readonly (\S+): (.*);$/gm)];
    found.set(name!, new Map(members.map(([, member, type]) => [member!, type!])));
  }
  return found;
}

test('what is declared is what objects give, for every member of thousands', async () => {
  const dump = await openFixture();
  const kernel = openKernel(dump);
  const text = readFileSync(join(folder, 'vmcore.d.ts'), 'utf8');
  const interfaces = interfacesOf(text);
  const aliases = new Map([...text.matchAll(/^type (\S+) = (.*);$/gm)].map(([, a, b]) => [a, b]));
  const objects = new Map(
    [...text.matchAll(/^ {4}readonly "(.+)": (.*);$/gm)].map(([, a, b]) => [a, b]),
  );
  const wrong: string[] = [];
  let seen = 0;
  const check = (declared: string, value: unknown, place: string, depth: number): void => {
    const type = aliases.get(declared) ?? declared;
    const [, nullable] = / \| null$/.test(type) ? [0, type.slice(0, -7)] : [0, undefined];
    seen++;
    if (nullable !== undefined) {
      if (value !== null) check(nullable, value, place, depth);
    } else if (['number', 'bigint', 'boolean', 'string'].includes(type)) {
      if (typeof value !== type) wrong.push(`${place} is ${typeof value}, declared ${type}`);
    } else if (!isKernelObject(value)) {
      wrong.push(`${place} is no object, declared ${type}`);
    } else if (type.startsWith('KernelArray<')) {
      const length = value['length'] as number;
      const element = type.slice('KernelArray<'.length, -1);
      for (let at = 0; at < Math.min(length, 2); at++) {
        attempt(() => check(element, value[at], `${place}[${at}]`, depth));
      }
    } else if (type.startsWith('{')) {
      for (const [, name] of type.slice(1).matchAll(/^ readonly (\w+):/g)) {
        if (!(name! in value)) wrong.push(`${place} has no ${name}`);
      }
    } else if (depth > 0) {
      walk(type, value, place, depth - 1);
    }
  };
  const walk = (name: string, view: KernelObject, place: string, depth: number): void => {
    const members = interfaces.get(name);
    if (members === undefined) return void wrong.push(`${place}: no interface ${name}`);
    for (const [member, type] of members) {
      attempt(() => check(type, view[member], `${place}.${member}`, depth));
    }
  };
  for (const task of [...kernel.tasks()].slice(0, 6)) {
    walk(objects.get(typeOf(task))!, task, 'task', 2);
  }
  const head = kernel.symbol('modules').address;
  const [module] = walkList(kernel, head, 'struct module', 'list', 100).objects;
  walk('struct_module', module!, 'module', 2);
  walk('struct_rq', kernel.object('struct rq', kernel.perCpu('runqueues', 0)), 'rq', 1);
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(5000);
  dump.close();
});

test('lost pages of BTF cost their types: said, and the rest compiles', async () => {
  const dump = await openFixture();
  const { memory, symbols } = openKernel(dump);
  const start = symbols.lookup('__start_BTF')!.address;
  const lost = [3n, 200n, 700n].map((page) => {
    return Number(memory.translate(start + page * 4096n).physical >> 12n);
  });
  const broken = withPages(dump, (pfn, bytes) => (lost.includes(pfn) ? 'missing' : bytes));
  const said = { out: '', err: '' };
  const output: Output = {
    async write(text) {
      said.out += text;
      return true;
    },
    end: async () => 0,
  };
  const io: Io = {
    ...{ colour: false, width: undefined, progress: false },
    out: () => {},
    open: () => output,
    err: (text) => {
      said.err += text;
    },
  };
  const settings = { json: false, quiet: false, verbose: false, color: true, strict: true };
  const session = { file: 'broken', io, settings, kernel: openKernel(broken) };
  expect(await emitTypes(session, { file: undefined, overwrite: 'keep' })).toBe(5);
  expect(said.err).toMatch(/^incomplete: .*types of the kernel: /);
  expect(interfacesOf(said.out).size).toBeGreaterThan(5000);
  writeFileSync(join(folder, 'broken.d.ts'), said.out);
  expect(compile('broken.d.ts')).toBe('');
  dump.close();
});

describe('odd types', () => {
  /** Declarations of what was written, without head and variables. */
  function declared(write: (btf: BtfWriter, int: number) => void): {
    text: string;
    left: string[];
  } {
    const btf = new BtfWriter();
    write(btf, btf.int('int', 4, { signed: true }));
    const types = new TypeTable(new Btf('vmlinux', btf.bytes()), () => []);
    const { lines, problems } = typeDeclarations(types, ['*/ odd']);
    const text = [...lines].join('\n');
    return { text, left: problems.map(({ message }) => message) };
  }
  const one = (type: number, name = 'a'): { name: string; type: number; bitOffset: number } => ({
    ...{ name, type, bitOffset: 0 },
  });

  test('two of one name: the second has a number, and the first is what a lookup finds', () => {
    const { text } = declared((btf, int) => {
      btf.struct('x', 4, [one(int, 'first')]);
      btf.struct('x', 4, [one(int, 'second')]);
      btf.typedef('struct_x', int);
    });
    expect(text).toContain('interface struct_x {\n  readonly first: number;\n}');
    expect(text).toContain('interface struct_x_2 {\n  readonly second: number;\n}');
    expect(text).toContain('type struct_x_3 = number;');
    expect(text).toContain('    readonly "struct x": struct_x;\n');
  });

  test('a typedef of a struct without a name is its name; before or behind it', () => {
    const { text } = declared((btf, int) => {
      btf.typedef('early_t', btf.endId + 1);
      btf.struct('tagged', 4, [one(int)]);
      btf.typedef('late_t', btf.struct('', 4, [one(int, 'b')]));
    });
    expect(text).toContain('interface late_t {\n  readonly b: number;\n}');
    expect(text).toContain('    readonly "late_t": late_t;\n');
    expect(text).toContain('    readonly "early_t": struct_tagged;\n');
    expect(text).not.toContain('interface early_t');
  });

  test('anonymous members are members, named ones of no type are written out', () => {
    const { text } = declared((btf, int) => {
      const inner = btf.union('', 4, [one(int, 'left'), one(int, 'right')]);
      btf.struct('outer', 8, [one(inner, ''), one(inner, 'named')]);
    });
    expect(text).toContain('  readonly left: number;\n  readonly right: number;\n');
    expect(text).toContain('readonly named: { readonly left: number; readonly right: number };');
  });

  test('bit-fields, text, pointers and arrays are what reading makes of them', () => {
    const { text } = declared((btf, int) => {
      const long = btf.int('long unsigned int', 8, {});
      const char = btf.int('char', 1, { signed: true });
      const self = btf.pointer(btf.endId + 5);
      const table = btf.array(self, 3);
      const words = btf.array(char, 16);
      const toInt = btf.pointer(int);
      btf.enum('e', { A: 1 });
      btf.struct('s', 64, [
        { ...one(int, 'bit'), bitSize: 3 },
        { ...one(long, 'wide'), bitSize: 3 },
        ...[one(words, 'text'), one(self, 'self'), one(table, 'table'), one(toInt, 'number')],
        one(btf.endId - 1, 'e'),
      ]);
    });
    const members = ['bit: number', 'wide: bigint', 'text: string', 'self: struct_s | null'];
    const more = ['table: KernelArray<struct_s | null>', 'number: bigint', 'e: enum_e'];
    for (const member of [...members, ...more]) expect(text).toContain(`  readonly ${member};\n`);
    expect(text).toContain('/** A 1 */\ntype enum_e = number;');
  });

  test('names that are none in TypeScript', () => {
    const { text } = declared((btf, int) => {
      btf.typedef('string', int);
      btf.typedef('number', btf.struct('', 4, [one(int, 'class'), one(int, 'a b"')]));
      btf.struct('*/ x', 4, [one(int, '__proto__')]);
    });
    expect(text).toContain('type string_2 = number;');
    expect(text).toContain('interface number_2 {\n  readonly class: number;\n');
    expect(text).toContain('  readonly "a b\\"": number;\n');
    expect(text).toContain('    readonly "number": number_2;\n');
    expect(text).toMatch(/^\/\/ \*\? odd\n/);
    expect(text).toContain('/** struct *? x, 4 bytes. */\ninterface struct____x {');
    writeFileSync(join(folder, 'odd.d.ts'), text);
    expect(compile('odd.d.ts')).toBe('');
  });

  test('damage leaves out what it struck, and is told; a type within itself has an end', () => {
    const { text, left } = declared((btf, int) => {
      btf.struct('lost', 4, [one(99)]);
      btf.struct('found', 4, [one(int)]);
      const loop = btf.endId;
      btf.struct('', 4, [one(loop)]);
      btf.struct('loops', 4, [one(loop)]);
      btf.array(btf.endId, 2);
    });
    expect(text).toContain('interface struct_found {');
    expect(text).toContain('type struct_lost = unknown;');
    expect(left).toContainEqual(expect.stringContaining('no type has id 99'));
    writeFileSync(join(folder, 'damaged.d.ts'), text);
    expect(compile('damaged.d.ts')).toBe('');
  });
});
