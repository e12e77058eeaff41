/** `mod`: the loaded modules in crash's columns. No object file is ever loaded. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { type KernelModule, moduleAddress } from '../linux/modules.ts';
import type { Answer, Json } from './command.ts';

export function run(kernel: Kernel, words: readonly string[]): Answer {
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
  return {
    json: () => ({ modules: wanted.map(moduleJson) }),
    text: () => table(wanted),
    counted: plural(wanted.length, 'module'),
    missing: problem === undefined ? [] : [{ what: 'modules', count: null, why: problem.message }],
    errors: problem === undefined ? [] : [problem],
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

function moduleJson(module: KernelModule): Json {
  return {
    module: jsonAddress(moduleAddress(module)),
    name: module.name,
    base: jsonAddress(module.base),
    size: module.size,
    state: module.state,
    kallsyms: hasKallsyms(module),
  };
}
