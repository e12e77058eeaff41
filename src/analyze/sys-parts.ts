/** Parts of the system that `sys` shows alone: system calls, taints, firmware, configuration. */

import { DumpError } from '../bytes/errors.ts';
import { jsonAddress, plural, printable } from '../bytes/text.ts';
import { dmiStrings } from '../linux/dmi.ts';
import type { Kernel } from '../linux/kernel.ts';
import { hex } from './columns.ts';
import type { Answer, Radix } from './command.ts';
import { Gaps } from './gaps.ts';
import { taintLetters } from './taint.ts';

/** x86-64 has less than 500 system calls; what has more follows a wrong size. */
const maxCalls = 4096;

interface SystemCall {
  readonly number: number;
  readonly address: bigint;
  readonly name: string | undefined;
}

/** `-c`: all entries of sys_call_table, those with a text in their name, or the one of a number. */
export function systemCalls(kernel: Kernel, word: string | undefined, radix: Radix): Answer {
  const gaps = new Gaps();
  const all = callsOf(kernel, gaps);
  const isNumber = word !== undefined && /^(0x[0-9a-f]+|\d+)$/i.test(word);
  const shown = all.filter(({ number, name }) => {
    if (word === undefined) return true;
    return isNumber ? number === Number(word) : name?.includes(word) === true;
  });
  return {
    json: () => ({
      calls: shown.map(({ number, address, name }) => ({
        ...{ number, name: name ?? null },
        address: jsonAddress(address),
      })),
    }),
    *text() {
      if (shown.length > 0) yield 'NUM  SYSTEM CALL';
      for (const { number, address, name } of shown) {
        const digits = radix === 'decimal' ? String(number) : hex(number);
        yield `${digits.padStart(3)}  ${name ?? hex(address)}`;
      }
    },
    counted: plural(shown.length, 'system call'),
    missing: gaps.missing,
    errors: gaps.errors,
    schema: 'calls/1',
  };
}

function callsOf(kernel: Kernel, gaps: Gaps): SystemCall[] {
  const { memory, symbols } = kernel;
  const table = kernel.symbol('sys_call_table');
  const count = Math.min(maxCalls, Math.floor(symbols.sizeOf(table) / 8));
  const calls: SystemCall[] = [];
  for (let number = 0; number < count; number++) {
    const at = table.address + BigInt(number * 8);
    const address = gaps.attempt('system calls', () => memory.u64(at));
    if (address === undefined) continue;
    const found = symbols.at(address);
    // Behind the last one there may be padding.
    if (address === 0n) continue;
    calls.push({ number, address, name: found?.offset === 0 ? found.symbol.name : undefined });
  }
  return calls;
}

/** `-t`. */
export function taints(kernel: Kernel): Answer {
  // An unsigned long: that needs no types.
  const tainted = kernel.memory.u64(kernel.symbol('tainted_mask').address);
  const letters = taintLetters(tainted);
  return {
    json: () => ({ tainted: jsonAddress(tainted), taints: letters }),
    *text() {
      yield `TAINTED_MASK: ${hex(tainted)}  ${letters}`;
    },
    missing: [],
    schema: 'taints/1',
  };
}

/** `-i`. */
export function firmware(kernel: Kernel): Answer {
  const gaps = new Gaps();
  const strings = dmiStrings(kernel, (problem) => gaps.add('DMI strings', problem));
  return {
    json: () => ({ dmi: Object.fromEntries(strings.map(({ name, text }) => [name, text])) }),
    *text() {
      for (const { name, text } of strings) yield `${name.padStart(25)}: ${printable(text)}`;
    },
    counted: plural(strings.length, 'string'),
    missing: gaps.missing,
    errors: gaps.errors,
    schema: 'dmi/1',
  };
}

/** `config`: CONFIG_IKCONFIG keeps it compressed with gzip, which other tools take apart. */
export function configuration(kernel: Kernel): never {
  const data = kernel.symbols.inKernel('kernel_config_data');
  if (data === undefined) {
    throw new DumpError('absent', 'this kernel does not keep its configuration in memory', {
      hint: 'CONFIG_IKCONFIG was off; see /boot/config-RELEASE of the machine',
    });
  }
  // Since v5.1 (13610aa908dc "kernel/configs: use .incbin directive to embed config_data.gz").
  const end = kernel.symbols.inKernel('kernel_config_data_end');
  const start = end === undefined ? data.address + 8n : data.address;
  const stop = end?.address ?? start + BigInt(kernel.symbols.sizeOf(data) - 8);
  throw new DumpError('unsupported', 'the configuration is compressed, and is not taken apart', {
    hint: `\`rd -r config.gz ${hex(start)} -e ${hex(stop)}\`, then \`gunzip config.gz\``,
  });
}
