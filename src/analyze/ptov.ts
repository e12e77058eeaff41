/** `ptov`: physical addresses and per-CPU offsets to kernel virtual addresses. */

import { hex16, jsonAddress } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import { hex } from './columns.ts';
import type { Json, Run } from './command.ts';
import { takeCpus } from './cpu-list.ts';
import { hexNumber, hexOrAddress, needWords } from './numbers.ts';
import { pageStateAt } from './page-state.ts';

interface Part {
  readonly json: Json;
  readonly lines: readonly string[];
}

export const run: Run = (kernel, words, _, context) => {
  needWords(words, 'ptov', 'a physical address or OFFSET:CPUS');
  const parts = words.map((word) => {
    const { text, cpus } = takeCpus(kernel, context, word);
    return cpus === undefined ? physicalPart(kernel, text) : perCpuPart(kernel, text, cpus);
  });
  return {
    json: () => ({ addresses: parts.map(({ json }) => json) }),
    *text() {
      let isFirst = true;
      for (const { lines } of parts) {
        if (!isFirst) yield '';
        isFirst = false;
        yield* lines;
      }
    },
    missing: [],
  };
};

function physicalPart(kernel: Kernel, word: string): Part {
  const physical = hexNumber(word);
  const virtual = BigInt.asUintN(64, kernel.toVirtual(physical));
  return {
    json: {
      kind: 'physical',
      physical: jsonAddress(physical),
      virtual: jsonAddress(virtual),
      state: pageStateAt(kernel, physical),
    },
    lines: [
      `${'VIRTUAL'.padEnd(16)}  ${'PHYSICAL'.padEnd(16)}`,
      `${hex16(virtual)}  ${hex(physical).padEnd(16)}`,
    ],
  };
}

function perCpuPart(kernel: Kernel, word: string, cpus: readonly number[]): Part {
  const offset = hexOrAddress(kernel, word);
  const copies = cpus.map((cpu) => ({
    cpu,
    virtual: BigInt.asUintN(64, offset + kernel.perCpuOffset(cpu)),
  }));
  const cpuColumn = Math.max(...copies.map(({ cpu }) => String(cpu).length)) + 2;
  return {
    json: {
      kind: 'per-cpu',
      offset: jsonAddress(offset),
      copies: copies.map(({ cpu, virtual }) => ({ cpu, virtual: jsonAddress(virtual) })),
    },
    lines: [
      `PER-CPU OFFSET: ${hex(offset)}`,
      `  CPU    ${'VIRTUAL'.padEnd(16)}`,
      ...copies.map(({ cpu, virtual }) => {
        return `  ${`[${cpu}]`.padEnd(cpuColumn)}  ${hex16(virtual)}`;
      }),
    ],
  };
}
