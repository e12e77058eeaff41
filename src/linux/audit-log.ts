/**
 * Records of the audit system that its daemon has not fetched: socket buffers on three queues.
 * Source: kernel/audit.c; the queues are struct sk_buff_head since v4.10 (3197542482df "audit:
 * rework audit_log_start()").
 */

import { attempt, DumpError } from '../bytes/errors.ts';
import type { KernelCore } from './core.ts';

export interface AuditRecord {
  /** Of audit.h: 1300 a system call, 1307 its directory ... */
  readonly type: number;
  readonly text: string;
}

export interface AuditLog {
  readonly records: readonly AuditRecord[];
  /** Why some may be missing. */
  readonly problems: readonly DumpError[];
}

const queues = ['audit_hold_queue', 'audit_retry_queue', 'audit_queue'];
/** audit_backlog_limit is 64 unless somebody raises it; 8192 is much. */
const maxRecords = 64 * 1024;
/** MAX_AUDIT_MESSAGE_LENGTH is 8970. */
const maxLength = 16 * 1024;
/** struct nlmsghdr: length, then the type. */
const headerSize = 16;

/** Throws `absent` where the kernel has no such queue. */
export function auditLog(kernel: KernelCore): AuditLog {
  const heads = queues.flatMap((name) => kernel.symbols.inKernel(name) ?? []);
  if (heads.length === 0) {
    throw new DumpError('absent', 'this kernel has none of the queues of audit records');
  }
  const records: AuditRecord[] = [];
  const problems: DumpError[] = [];
  for (const { address } of heads) {
    attempt(
      () => {
        for (const buffer of buffersOf(kernel, address)) {
          const record = attempt(
            () => recordIn(kernel, buffer),
            (problem) => problems.push(problem),
          );
          if (record !== undefined) records.push(record);
        }
      },
      (problem) => problems.push(problem),
    );
  }
  return { records, problems };
}

/** A ring through its head, whose links stand at the beginning of each buffer. */
function* buffersOf({ memory }: KernelCore, head: bigint): Generator<bigint> {
  const seen = new Set<bigint>();
  for (let at = memory.u64(head); at !== head; at = memory.u64(at)) {
    if (seen.has(at) || seen.size >= maxRecords) {
      throw new DumpError('corrupt', 'a queue of audit records has no end', {
        where: { virtual: at },
      });
    }
    seen.add(at);
    yield at;
  }
}

function recordIn({ memory, types }: KernelCore, buffer: bigint): AuditRecord {
  const member = (name: string): bigint => buffer + BigInt(types.offsetOf('struct sk_buff', name));
  const length = memory.u32(member('len'));
  if (length < headerSize || length > maxLength) {
    throw new DumpError('corrupt', `an audit record of ${length} bytes`, {
      where: { virtual: buffer },
    });
  }
  const data = memory.u64(member('data'));
  const type = memory.u32(data + 4n) & 0xffff;
  return { type, text: memory.cstring(data + BigInt(headerSize), length - headerSize) };
}
