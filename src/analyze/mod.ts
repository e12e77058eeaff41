/** `mod`: the loaded modules in crash's columns. No object file is ever loaded. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural } from '../bytes/text.ts';
import { type KernelModule, moduleAddress } from '../linux/modules.ts';
import type { Answer, Json, Run } from './command.ts';
import { Gaps } from './gaps.ts';
import { taintLetters } from './taint.ts';

/** What of crash's letters loads symbols from files beside the dump. */
const loads = ['load', 'loadAll', 'unload', 'unloadAll'];

export const run: Run = (kernel, words, options) => {
  if (loads.some((name) => options[name] !== undefined)) {
    throw new DumpError('unsupported', 'no file but the dump is ever opened', {
      hint: 'symbols and types of modules are in the dump, and in use without being loaded',
    });
  }
  const { modules, problem } = kernel.modules;
  for (const word of words) {
    if (modules.some((module) => module.name === word)) continue;
    throw new DumpError('absent', `no module "${word}" is loaded`, {
      hint: '`mod` lists the modules',
      cause: problem,
    });
  }
  const wanted = modules
    .filter(({ name }) => words.length === 0 || words.includes(name))
    .sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  if (options.taints === true) return taintAnswer(wanted, problem);
  return {
    json: () => ({ modules: wanted.map(moduleJson) }),
    text: () => table(wanted),
    counted: plural(wanted.length, 'module'),
    missing: problem === undefined ? [] : [{ what: 'modules', count: null, why: problem.message }],
    errors: problem === undefined ? [] : [problem],
  };
};

interface Tainted {
  readonly module: KernelModule;
  /** undefined: not in the dump. */
  readonly letters: string | undefined;
}

/** `-t`: only modules that taint the kernel, and how. */
function taintAnswer(wanted: readonly KernelModule[], problem: DumpError | undefined): Answer {
  const gaps = new Gaps();
  if (problem !== undefined) gaps.add('modules', problem);
  const found = wanted
    .map((module): Tainted => {
      const read = (): string => taintLetters(BigInt(module.object.taints));
      return { module, letters: gaps.attempt('taints of modules', read) };
    })
    .filter(({ letters }) => letters !== '');
  return {
    json: () => ({
      modules: found.map(({ module, letters }) => ({
        ...moduleJson(module),
        taints: letters ?? null,
      })),
    }),
    *text() {
      if (found.length === 0) {
        yield problem === undefined ? 'no tainted modules' : 'no tainted modules that can be read';
        return;
      }
      const width = Math.max(4, ...found.map(({ module }) => module.name.length));
      yield `${'NAME'.padEnd(width)}  TAINT`;
      for (const { module, letters = '?' } of found) {
        yield `${module.name.padEnd(width)}  ${letters}`;
      }
    },
    counted: plural(wanted.length, 'module'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
}

function* table(modules: readonly KernelModule[]): Generator<string> {
  const name = Math.max(4, ...modules.map((module) => module.name.length));
  const size = Math.max(4, ...modules.map((module) => String(module.size).length));
  const title = [
    '     MODULE     ',
    'NAME'.padEnd(name),
    '      BASE      ',
    'SIZE'.padStart(size),
  ];
  yield `${title.join('  ')}  OBJECT FILE`;
  for (const module of modules) {
    const columns = [
      hex16(moduleAddress(module)),
      module.name.padEnd(name),
      hex16(module.base),
      String(module.size).padStart(size),
      hasKallsyms(module) ? '(not loaded)  [CONFIG_KALLSYMS]' : '(not loaded)',
    ];
    yield columns.join('  ');
  }
}

function hasKallsyms(module: KernelModule): boolean {
  return module.object.kallsyms !== null;
}

function moduleJson(module: KernelModule): { readonly [key: string]: Json } {
  return {
    module: jsonAddress(moduleAddress(module)),
    name: module.name,
    base: jsonAddress(module.base),
    size: module.size,
    state: module.state,
    kallsyms: hasKallsyms(module),
  };
}
