/**
 * Disks driven by scsi_dump: the kernel's own driver is given a command, and its interrupt handler
 * is called until the command ends. Its code is executed once a step, not for each command. Of the
 * limits of scsi_dump (5 s to queue a command, 30 s for a transfer, 60 s for any command) the first
 * cannot be met: nobody else uses the queue any more.
 */

import { DumpError } from '../../bytes/errors.ts';
import { second } from '../../machine/clock.ts';
import type { Disk } from '../../machine/disk.ts';
import type { Holding } from '../../machine/holding.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Registered } from './scsi.ts';

const transferLimit = 30 * second;
const commandLimit = 60 * second;
const settle = 5 * second;

const submission = {
  path: 'scsi-write',
  role: 'worker',
  stage: 'blk_mq_run_work_fn',
  from: 'virtscsi_queuecommand',
  until: '__rcu_read_unlock',
} as const;
const completion = {
  path: 'scsi-write',
  role: 'interrupt',
  stage: 'asm_common_interrupt',
  from: 'virtscsi_req_done',
  until: 'scsi_done',
} as const;

/** A partition as the crashed kernel's memory has it. */
export interface Target {
  readonly registered: Registered;
  readonly disk: PolledDisk;
  readonly start: number;
  readonly size: number;
}

/** One disk and what it is called. */
export class PolledDisk {
  readonly #machine: Machine;
  readonly #disk: Disk;
  readonly #name: string;

  constructor(machine: Machine, disk: number, name: string) {
    this.#machine = machine;
    this.#disk = machine.disks[disk]!;
    this.#name = name;
  }

  /** What every command goes through. */
  execute(): void {
    const { panicCpu } = this.#machine;
    panicCpu.execute('scsi_dump_rw_block');
    panicCpu.executePath(submission);
    panicCpu.executePath(completion);
  }

  /**
   * Adapter reset, with all that the crashed kernel had in flight; then the write cache is turned
   * on. Throws `io`.
   */
  quiesce(): void {
    if (this.#disk === this.#machine.disk) this.#machine.silence('disk');
    const isBack = this.#disk.reset();
    this.#machine.wait(settle, 'the bus settles');
    if (!isBack) throw this.#failed('the adapter did not come back from its reset');
    this.#disk.condition.writeCache = 'on';
  }

  /** Throws `io`. */
  read(offset: number, length: number): Uint8Array {
    const { result, bytes } = this.#disk.read(offset, length, transferLimit);
    if (result === 'ok') return bytes;
    throw this.#noAnswer();
  }

  /**
   * Reads what nobody wrote to and is known by that; `start`: of its partition. False: it is not
   * known, and was not read. Throws `io`.
   */
  readsUntouched(holding: Holding, start: number, offset: number, length: number): boolean {
    const known = this.#disk.untouched(offset, length);
    if (known?.holding !== holding || known.start !== start) return false;
    if (this.#disk.skim(length, transferLimit) !== 'ok') throw this.#noAnswer();
    return true;
  }

  /** The parts must not change any more. Throws `io`. */
  write(offset: number, parts: readonly Uint8Array[]): void {
    const { result, done } = this.#disk.write(offset, parts, transferLimit);
    if (result === 'ok') return;
    const at = offset + done;
    if (result === 'medium error') throw this.#failed(`medium error at byte ${at} of the disk`);
    throw this.#failed(`no answer to a write within ${transferLimit / second} s`);
  }

  /** Throws `io`. */
  synchronize(): void {
    if (this.#disk.synchronize(commandLimit) === 'ok') return;
    throw this.#failed(`no answer to SYNCHRONIZE CACHE within ${commandLimit / second} s`);
  }

  #noAnswer(): DumpError {
    return this.#failed(`no answer to a read within ${transferLimit / second} s`);
  }

  #failed(what: string): DumpError {
    return new DumpError('io', `${this.#name}: ${what}`);
  }
}
