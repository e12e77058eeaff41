/** `log -a` and `log -s`: what is not in the kernel log, and waits to go elsewhere. */

import { hex16, jsonAddress, plural, printable } from '../bytes/text.ts';
import { auditLog } from '../linux/audit-log.ts';
import type { Kernel } from '../linux/kernel.ts';
import { safeBuffers } from '../linux/printk-safe.ts';
import type { Answer } from './command.ts';
import { Gaps } from './gaps.ts';

/** `-a`: audit records that no daemon has fetched. */
export function auditAnswer(kernel: Kernel): Answer {
  const { records, problems } = auditLog(kernel);
  const gaps = new Gaps();
  for (const problem of problems) gaps.add('audit records', problem);
  return {
    json: () => ({ overwritten: 0, records: [], audit: records.map((record) => ({ ...record })) }),
    *text() {
      for (const { type, text } of records) yield `type=${type} ${printable(text)}`;
      // Of what cannot be read nobody knows whether it is empty.
      if (records.length === 0 && problems.length === 0) yield 'log: kernel audit log is empty';
    },
    counted: plural(records.length, 'record'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
}

/** `-s`: what printk() had put aside. */
export function safeAnswer(kernel: Kernel): Answer {
  const gaps = new Gaps();
  const buffers = safeBuffers(kernel, (problem) => gaps.add('buffers', problem));
  return {
    json: () => ({
      overwritten: 0,
      records: [],
      safe: buffers.map(({ address, ...rest }) => ({ address: jsonAddress(address), ...rest })),
    }),
    *text() {
      let before = '';
      for (const { name, cpu, address, text, lost } of buffers) {
        if (name !== before) yield `PRINTK_SAFE_SEQ_BUF: ${name}`;
        before = name;
        const length = `LEN: ${text.length}  MESSAGE_LOST: ${lost}`;
        yield `CPU: ${cpu}  ADDR: ${hex16(address)} ${length}`;
        const lines = text === '' ? ['(empty)'] : text.replace(/\n$/, '').split('\n');
        for (const line of lines) yield `  ${printable(line)}`;
      }
    },
    counted: plural(buffers.length, 'buffer'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
}
