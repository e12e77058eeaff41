/** `module`: loaded modules in lcrash's table; by name, all that is known of one. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { KernelModule } from '../linux/modules.ts';
import type { KernelSymbol } from '../linux/symbols.ts';
import type { Json, Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { moduleRows } from './lcrash-rows.ts';
import { type StructTable, structTable, tableStyle } from './lcrash-table.ts';
import { moduleUses } from './module-uses.ts';

/** What is known of one module beside its line; undefined is not in the dump. */
interface Details {
  readonly module: KernelModule;
  readonly uses: readonly string[] | undefined;
  readonly symbols: readonly KernelSymbol[] | undefined;
}

export const run: Run = (kernel, words, options, context) => {
  const { modules, problem } = kernel.modules;
  const gaps = new Gaps();
  if (problem !== undefined) gaps.add('modules', problem);
  const wanted = words.length === 0 ? modules : words.map((word) => named(kernel, word));
  const views = wanted.map(({ object }) => object);
  const table = structTable(kernel, moduleRows, views, tableStyle(options, context));
  const details = words.length === 0 ? [] : wanted.map((one) => detailsOf(kernel, one, gaps));
  return {
    json: () => ({
      modules: table.json().map((row, index) => {
        const own = details[index];
        return own === undefined ? row : { ...row, ...detailsJson(own) };
      }),
    }),
    text: () => lines(table, details),
    counted: plural(wanted.length, 'module'),
    missing: [...gaps.missing, ...table.missing],
    errors: [...gaps.errors, ...table.errors],
  };
};

function named(kernel: Kernel, name: string): KernelModule {
  const { modules, problem } = kernel.modules;
  const found = modules.find((module) => module.name === name);
  if (found !== undefined) return found;
  throw new DumpError('absent', `no module "${name}" is loaded`, {
    hint: '`module` lists the modules',
    cause: problem,
  });
}

function detailsOf(kernel: Kernel, module: KernelModule, gaps: Gaps): Details {
  return {
    module,
    uses: gaps.attempt('modules that it uses', () => moduleUses(kernel, module.object).uses),
    symbols: gaps.attempt('symbols of modules', () => module.symbols()),
  };
}

function* lines(table: StructTable, details: readonly Details[]): Generator<string> {
  yield* table.lines((view) => {
    const own = details.find(({ module }) => module.object === view);
    return own === undefined ? [] : detailLines(own);
  });
}

function* detailLines({ module, uses, symbols }: Details): Generator<string> {
  yield '';
  yield `  STATE: ${module.state}`;
  yield `   BASE: ${jsonAddress(module.base)}`;
  yield `   USES: ${uses === undefined ? '?' : uses.join(' ') || '(none)'}`;
  yield `SYMBOLS: ${symbols?.length ?? '?'}`;
  for (const { address, type, name } of symbols ?? []) {
    yield `  ${jsonAddress(address)} (${type}) ${name}`;
  }
  yield '';
}

function detailsJson({ module, uses, symbols }: Details): { readonly [key: string]: Json } {
  return {
    state: module.state,
    base: jsonAddress(module.base),
    uses: uses === undefined ? null : [...uses],
    symbols:
      symbols === undefined
        ? null
        : symbols.map(({ name, address, type }) => ({ name, address: jsonAddress(address), type })),
  };
}
